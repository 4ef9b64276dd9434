package guest

import "sync"

// maxKeys bounds the public keys that are remembered, at less than 1 KB each.
const maxKeys = 10_000

// Keys remembers the public keys that Windows servers have shown, by instance id, as long as this process lives: they
// are no secret, and asking again costs a command. The zero value is empty; nil remembers nothing. All methods are safe
// for concurrent use.
type Keys struct {
	mu   sync.Mutex
	keys map[string]string // PublicKey in its text form
}

func (k *Keys) get(instance string) string {
	if k == nil {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[instance]
}

func (k *Keys) put(instance, key string) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]string{}
	}
	for other := range k.keys {
		if len(k.keys) < maxKeys {
			break
		}
		delete(k.keys, other) // any: it can be asked for again
	}
	k.keys[instance] = key
}

// drop forgets a key that the server does not have (any more).
func (k *Keys) drop(instance string) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, instance)
}
