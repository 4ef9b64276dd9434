package rotation

import "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"

// planner says what is to be done next with each account, and when: it makes the plan of a record from the present, as the clock,
// the connection, the other accounts of the server and the group show it, and keeps the queues in step with it. It does no step
// itself. It is the planning of the account store.
type planner struct {
	*env
	*accountStore
	*connections

	turns  turns
	queues *workqueue.Queues[*entry]
}
