// Package role has the roles of a mount ([Store]): what is stored of one ([Record]), its fields and their checks, the instances
// that it means and the accounts that it is bound to. It looks at the instances of all roles every ten minutes
// ([Store.LookAtAll]), and forgets accounts of servers that are gone.
//
// Its files stand in layers, each of which knows those below it only:
//
//	entrances   what is done with roles
//	              write.go, settings.go             an operator writes or deletes one
//	              watch.go                          the look at the instances of all roles
//	              take_over.go                      an administrator moves accounts of one role to another
//	              forget_gone.go                    the end of accounts whose servers are gone
//	refresh     refresh.go, describe.go             tags are resolved again, and what accounts tell of their instances
//	change      change.go                           binds the accounts of a role, stores it, and unbinds what has left it
//	            bindings.go                         which accounts it can have
//	            size.go                             whether storage takes it
//	            move.go                             accounts that go from one role to another
//	            left_behind.go, group.go            accounts of roles that do not map to them, and shared passwords
//	instances   what a role means
//	              linger.go                         which instances stay though the tags do not find them
//	              resolve.go                        which instances its ids or tags mean
//	              fit.go                            whether the role fits an instance
//	              instances.go, member.go           instances at the cloud, and those of a role
//	fields      fields.go                           the schema of roles/<name>
//	            apply.go                            a write makes a record
//	            check_fields.go, check_resets.go,
//	            check_schedule.go                   the checks of it that ask no cloud
//	Store       store.go, lock.go                   the roles of the mount
//	            refreshes.go, resolutions.go        when roles were looked at, and what was missing then
//	Record      response.go                         what reading a role returns
//	            effective.go, schedule.go           its fields with their defaults
//	            record.go                           as stored
package role
