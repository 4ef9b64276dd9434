package rotation

import (
	"sync/atomic"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/workqueue"
)

// entry is an account or group in memory: its record, and what this process knows beyond that. Each part has one owner in the
// engine; by which lock it is guarded stands at its type.
type entry struct {
	id ID

	cachedRecord
	line     eventQueue     // of the account store: clients whose changes may share a write
	attempts attemptClocks  // of the executor: what is known of open attempts
	delay    transientDelay // of the executor: failures that the record does not know
	group    *groupLook     // of the group's rollout; nil: it is no group
	turn     turnHolder     // of the turns on a server
	reads    recentReads    // of reads that needed no write; guarded by mu
	check    serverCheck    // of the executor: looks at the server
	cleaning cleaning       // of the executor: records to be removed at the cloud
	fetching chan struct{}  // of reads: closed when the initial password's reader is done; guarded by mu

	slot  workqueue.Slot[*entry] // of the queues, which guard it
	asked atomic.Uint64          // of the planner: how often others have asked for a look
}
