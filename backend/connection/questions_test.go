package connection

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
)

// TestQuestionsWaitForAPlace: those of another connection do not, and a connection that nobody asks is forgotten.
func TestQuestionsWaitForAPlace(t *testing.T) {
	s := NewStore(new(logical.InmemStorage), nil, policy.Generator{}, time.Now)
	var leaves []func()
	for range QuestionsAtOnce {
		_, leave, err := s.asking.enter(t.Context(), "hung")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	late, cancel := context.WithTimeout(t.Context(), answerTime) // whose time to wait is over at once
	defer cancel()
	ask := func(ctx context.Context, connection string) error {
		_, err := Ask(ctx, s, connection, func(context.Context) (string, error) { return "answer", nil })
		return err
	}
	var coded logical.HTTPCodedError
	if err := ask(late, "hung"); !errors.As(err, &coded) || coded.Code() != http.StatusServiceUnavailable ||
		!strings.Contains(err.Error(), "has 4 verifications and listings of instances under way") {
		t.Errorf("one more: %v", err)
	}
	if err := ask(t.Context(), "well"); err != nil {
		t.Errorf("another connection: %v", err)
	}
	for _, leave := range leaves {
		leave()
	}
	if err := ask(t.Context(), "hung"); err != nil {
		t.Errorf("with places left: %v", err)
	}
	if len(s.asking.by) != 0 {
		t.Errorf("%d connections are remembered that nobody asks", len(s.asking.by))
	}
}

func TestWithTags(t *testing.T) {
	found := map[string]cloud.Instance{
		"b": {ID: "b", Tags: map[string]string{"env": "prod", "tier": "web"}},
		"a": {ID: "a", Tags: map[string]string{"env": "prod"}},
		"c": {ID: "c", Tags: map[string]string{"env": "test"}},
	}
	for _, c := range []struct {
		tags map[string]string
		want string
	}{{nil, "a b c"}, {map[string]string{"env": "prod"}, "a b"}, {map[string]string{"env": "prod", "tier": "web"}, "b"},
		{map[string]string{"env": "none"}, ""}} {
		var ids []string
		for _, i := range WithTags(found, c.tags) {
			ids = append(ids, i.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.tags, got, c.want)
		}
	}
}
