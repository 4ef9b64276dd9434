package novaapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// MetadataOptions configure the metadata service of one server.
type MetadataOptions struct {
	World *model.World
	// Agency is the one that the server was given; nil for none, or for the one that Find finds.
	Agency *model.Agency
	Find   func() (model.Agency, bool)
	// Lifetime of keys; default an hour. A new key is shown Overlap, by default ten minutes, before the old one ends: "the validity
	// period of a temporary AK and SK is one hour. The temporary AK and SK are updated 10 minutes ahead of the expiration time"
	// (Open Telekom Cloud's and Huawei Cloud's ECS user guides, Obtaining Metadata).
	Lifetime, Overlap time.Duration
	// RequireToken refuses requests without a token that a PUT got before, as servers do whose metadata mode says so.
	RequireToken bool
}

// Paths of the metadata service, and the headers of its tokens (the vendor's Go SDK, core/auth/internal/metadata_accessor.go).
const (
	MetadataKeyPath   = "/openstack/latest/securitykey"
	MetadataTokenPath = "/meta-data/latest/api/token"

	headerMetadataToken    = "X-Metadata-Token"
	headerMetadataLifetime = "X-Metadata-Token-Ttl-Seconds"
)

// metadata is the handler.
type metadata struct {
	MetadataOptions

	mu     sync.Mutex
	key    model.AccessKey
	tokens map[string]time.Time
}

// Metadata serves a server's metadata as far as its security key goes.
func Metadata(o MetadataOptions) http.Handler {
	if o.Lifetime <= 0 {
		o.Lifetime = time.Hour
	}
	if o.Overlap <= 0 {
		o.Overlap = min(10*time.Minute, o.Lifetime/6)
	}
	m := &metadata{MetadataOptions: o, tokens: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+MetadataKeyPath, m.showKey)
	mux.HandleFunc("PUT "+MetadataTokenPath, m.makeToken)
	return mux
}

func (m *metadata) makeToken(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get(headerMetadataLifetime))
	if err != nil || seconds < 1 || seconds > 6*60*60 {
		http.Error(w, "400 Bad Request", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	token := m.World.NewHex(40)
	m.tokens[token] = m.World.Now().Add(time.Duration(seconds) * time.Second)
	_, _ = w.Write([]byte(token)) // the client is gone: nobody left to tell
}

func (m *metadata) agency() (model.Agency, bool) {
	switch {
	case m.Agency != nil:
		return *m.Agency, true
	case m.Find != nil:
		return m.Find()
	}
	return model.Agency{}, false
}

func (m *metadata) showKey(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.World.Now()
	switch {
	case m.RequireToken && !now.Before(m.tokens[r.Header.Get(headerMetadataToken)]):
		http.Error(w, "401 Unauthorized", http.StatusUnauthorized)
		return
	}
	agency, given := m.agency()
	if !given { // the SDK looks for these words
		http.Error(w, "Please configure Cloud Service Agency first", http.StatusUnauthorized)
		return
	}
	if m.key.ID == "" || !now.Before(m.key.Expires.Add(-m.Overlap)) {
		m.key = m.World.AgencyKey(agency, "", m.Lifetime)
	}
	text, err := json.Marshal(map[string]any{"credential": securityKey(m.key)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
