// Package connection has the connections of a mount to its clouds ([Store]): what is stored of one ([Record]), its fields and
// their checks, the provider that is made of it, what may be asked of its cloud at a time, and the place where it leads.
//
// Its files stand in layers, each of which knows those below it only:
//
//	Store       what is done with connections
//	              validate.go                       a write makes a record, and its checks
//	              provider.go                       the provider of a record, and its verification
//	              settle_place.go                   operators' words about places, and warnings about new ones
//	              ask_credentials.go                what the clouds tell of the credentials in use
//	              root_period.go                    rotation_period
//	              ask.go, instances.go              questions for clouds, and lists of instances that several ask for
//	              store.go                          the connections of the mount
//	              credential_question.go            what a cloud tells of a credential
//	its parts   questions.go, listing.go            who may ask now, and what was listed a moment ago
//	            trusted_places.go                   operators' words, as stored
//	fields      fields.go                           the schemas of config/<name>
//	            credential_response.go              what reading a connection tells of its credential
//	            response.go                         what reading a connection returns
//	            own_fields.go, own_schemas.go       the fields that belong to the providers
//	Record      place.go, changes.go                where one leads, and in what two differ
//	            credential.go, root_schedule.go     the credential in use, and when it is replaced
//	            root_record.go                      its part in the rotations of its credential
//	            credential_record.go                what is stored of what a cloud told
//	            record.go, root_rotation.go         as stored
package connection
