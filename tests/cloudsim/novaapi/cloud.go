package novaapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// DefaultTokenLifetime is how long Huawei Cloud's and Open Telekom Cloud's
// tokens live; Keystone's own default is shorter, its operators choose.
const DefaultTokenLifetime = 24 * time.Hour

// Options configure a Cloud. Only Cloud is required.
type Options struct {
	// Cloud is model.HuaweiCloud, model.OpenTelekomCloud or model.OpenStack.
	Cloud model.Cloud
	// TokenLifetime of new tokens; default DefaultTokenLifetime.
	TokenLifetime time.Duration
	// Dialects of AK/SK signatures that the gateway accepts; default direct on
	// Huawei Cloud, scoped on Open Telekom Cloud. OpenStack knows none.
	Dialects []Dialect
	// KeyLifetime, if not 0, is how long temporary access keys live, whatever is asked for, so that tests need not wait.
	KeyLifetime time.Duration
	// LockAfter is the number of consecutive wrong signatures of an access key
	// after which the gateway locks it for LockTime, as Huawei Cloud's gateway
	// does after five. 0 switches the lock off, so that tests which try wrong
	// keys do not disturb each other.
	LockAfter int
	// LockTime is how long a lock lasts; default 5 minutes.
	LockTime time.Duration
	// MaxMicroversion is the highest minor version of Nova's API that the cloud
	// knows; default 98 on OpenStack, 60 elsewhere. Older clouds know fewer.
	MaxMicroversion int
	// CatalogURL words the compute endpoint in the catalogue, from its base URL
	// and the project's id; default base/v2.1 on OpenStack, else
	// base/v2.1/project.
	CatalogURL func(base, project string) string
	// IdentityURL and ComputeURL give the base URLs, without a final slash,
	// under which clients reach the two services; they go into the catalogue
	// and into links. A nil function means the host of the request at hand.
	IdentityURL, ComputeURL func() string
}

// Cloud serves one cloud of the family over a World.
type Cloud struct {
	world *model.World
	opts  Options

	mu     sync.Mutex
	tokens map[string]*token
	locks  map[string]*keyLock
}

// New makes a Cloud. It fails for a cloud of another family and for options
// that contradict each other.
func New(world *model.World, o Options) (*Cloud, error) {
	switch o.Cloud {
	case model.HuaweiCloud:
		o.Dialects = defaultDialects(o.Dialects, DialectDirect)
	case model.OpenTelekomCloud:
		o.Dialects = defaultDialects(o.Dialects, DialectScoped)
	case model.OpenStack:
		if len(o.Dialects) > 0 {
			return nil, fmt.Errorf("dialects: %s has no AK/SK signatures; leave Dialects empty", o.Cloud)
		}
	default:
		return nil, fmt.Errorf("cloud %q: want %s, %s or %s", o.Cloud, model.HuaweiCloud, model.OpenTelekomCloud, model.OpenStack)
	}
	for _, d := range o.Dialects {
		if d != DialectDirect && d != DialectScoped {
			return nil, fmt.Errorf("dialects: %q is neither %s nor %s", d, DialectDirect, DialectScoped)
		}
	}
	if o.TokenLifetime <= 0 {
		o.TokenLifetime = DefaultTokenLifetime
	}
	if o.MaxMicroversion <= 0 {
		o.MaxMicroversion = vendorMinor
		if o.Cloud == model.OpenStack {
			o.MaxMicroversion = topMinor
		}
	}
	o.MaxMicroversion = min(o.MaxMicroversion, topMinor)
	if o.LockTime <= 0 {
		o.LockTime = 5 * time.Minute
	}
	return &Cloud{world: world, opts: o, tokens: map[string]*token{}, locks: map[string]*keyLock{}}, nil
}

func defaultDialects(given []Dialect, fallback Dialect) []Dialect {
	if len(given) == 0 {
		return []Dialect{fallback}
	}
	return slices.Clone(given)
}

// plain says whether the cloud is OpenStack without a vendor's gateway.
func (c *Cloud) plain() bool { return c.opts.Cloud == model.OpenStack }

// identityService is the service name of Keystone in faults and Deny patterns.
func (c *Cloud) identityService() string {
	if c.plain() {
		return "identity"
	}
	return "iam"
}

// computeService is the service name of Nova and ECS in faults and Deny patterns.
func (c *Cloud) computeService() string {
	if c.plain() {
		return "compute"
	}
	return "ecs"
}

func (c *Cloud) identityURL(r *http.Request) string { return baseURL(c.opts.IdentityURL, r) }
func (c *Cloud) computeURL(r *http.Request) string  { return baseURL(c.opts.ComputeURL, r) }

func baseURL(configured func() string, r *http.Request) string {
	if configured != nil {
		return strings.TrimSuffix(configured(), "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
