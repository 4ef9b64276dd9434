package cloud

// Bounds of one listing, over all its pages. An endpoint is not trusted to come to an end, and each page may be as large as
// an answer may be.
const (
	maxListed     = 200_000
	maxListedText = 100 << 20 // bytes of names, tags and the like
	// listedTag is what a tag costs besides its text, in bytes.
	listedTag = 64
)

// Tally counts the instances that a listing keeps. The zero value is ready.
type Tally struct{ instances, text int }

// Add counts an instance that is kept. Its error is for a listing that is larger than any of a cloud.
func (t *Tally) Add(i Instance) error {
	t.instances++
	for _, word := range []string{i.ID, i.Name, i.OSName, i.CloudState, i.KeyName, i.LoginUser, i.PrivateIP, i.PublicIP} {
		t.text += len(word)
	}
	for key, value := range i.Tags {
		t.text += len(key) + len(value) + listedTag
	}
	if t.instances > maxListed || t.text > maxListedText {
		return Errorf(Unknown, "the listing of instances has more than %d, or more than %d MiB of text; check endpoints and auth_url of the "+
			"connection, or list fewer by tags", maxListed, maxListedText>>20)
	}
	return nil
}
