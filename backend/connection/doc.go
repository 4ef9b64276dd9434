// Package connection has the connections of a mount to its clouds ([Store]): what is stored of one ([Record]), its fields and
// their checks, the provider that is made of it, what may be asked of its cloud at a time, and the place where it leads.
//
// Its files stand in layers, each of which knows those below it only:
//
//	Store       what is done with connections
//	              validate.go                       a write makes a record, and its checks
//	              provider.go                       the provider of a record, and its verification
//	              settle_place.go                   operators' words about places, and warnings about new ones
//	              ask.go, instances.go              questions for clouds, and lists of instances that several ask for
//	              store.go                          the connections of the mount
//	its parts   questions.go, listing.go            who may ask now, and what was listed a moment ago
//	            trusted_places.go                   operators' words, as stored
//	fields      fields.go                           the schemas of config/<name>
//	            response.go                         what reading a connection returns
//	            own_fields.go, own_schemas.go       the fields that belong to the providers
//	Record      place.go, changes.go                where one leads, and in what two differ
//	            root_record.go                      its part in the rotations of its credential
//	            record.go, root_rotation.go         as stored
package connection
