package awsapi

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// caller is who signed a request, and for which region.
type caller struct {
	key    model.AccessKey
	region string
}

// arn names the caller as AWS does.
func (c caller) arn(w *model.World) string {
	if c.key.RoleARN != "" {
		role := c.key.RoleARN[strings.LastIndex(c.key.RoleARN, "/")+1:]
		return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", c.key.AccountID, role, c.key.SessionName)
	}
	u, ok := w.User(model.AWS, c.key.UserID)
	if !ok {
		return "arn:aws:iam::" + c.key.AccountID + ":root"
	}
	return fmt.Sprintf("arn:aws:iam::%s:user/%s", c.key.AccountID, u.Name)
}

const (
	textInvalid  = "AWS was not able to validate the provided access credentials"
	textMismatch = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textToken = "The security token included in the request is invalid."
)

// authenticate judges a request's signature in the words of a service: EC2
// answers AuthFailure to whatever is wrong with the credentials, STS and IAM
// tell the reasons apart.
func (a *API) authenticate(s *service, r *http.Request, body []byte) (caller, *failure) {
	ec2 := s.name == "ec2"
	sig, err := parseSignature(r)
	switch {
	case errors.Is(err, errUnsigned):
		return caller{}, &failure{http.StatusForbidden, "MissingAuthenticationToken", err.Error()}
	case err != nil && ec2:
		return caller{}, &failure{http.StatusUnauthorized, "AuthFailure", textInvalid + ": " + err.Error()}
	case err != nil:
		return caller{}, &failure{http.StatusForbidden, "IncompleteSignature", err.Error()}
	}
	key, known := a.world.AccessKey(model.AWS, sig.keyID)
	tokenOK := subtle.ConstantTimeCompare([]byte(key.Token), []byte(sig.token)) == 1
	switch {
	case (!known || key.Inactive || !tokenOK) && ec2:
		return caller{}, &failure{http.StatusUnauthorized, "AuthFailure", textInvalid}
	case !known || key.Inactive || !tokenOK:
		return caller{}, &failure{http.StatusForbidden, "InvalidClientTokenId", textToken}
	}
	if f := a.checkTime(s, sig, key); f != nil {
		return caller{}, f
	}
	if f := a.checkScope(s, sig, key); f != nil {
		return caller{}, f
	}
	if !sig.verify(r, body, key.Secret) {
		if ec2 {
			return caller{}, &failure{http.StatusUnauthorized, "AuthFailure", textInvalid}
		}
		return caller{}, &failure{http.StatusForbidden, "SignatureDoesNotMatch", textMismatch}
	}
	return caller{key, sig.region}, nil
}

// checkTime refuses requests outside their life and expired temporary keys.
func (a *API) checkTime(s *service, sig *signature, key model.AccessKey) *failure {
	now := a.world.Now()
	ec2 := s.name == "ec2"
	life := maxSkew
	if sig.presigned {
		life = sig.expires
	}
	switch {
	case !key.Expires.IsZero() && now.After(key.Expires) && ec2:
		return fail("RequestExpired", "Request has expired.")
	case !key.Expires.IsZero() && now.After(key.Expires):
		return &failure{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
	case sig.time.Before(now.Add(-life)) && ec2:
		return fail("RequestExpired", "Request has expired.")
	case sig.time.Before(now.Add(-life)):
		return &failure{http.StatusForbidden, "SignatureDoesNotMatch", fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)",
			sig.stamp, now.Add(-life).UTC().Format(stampFormat), now.UTC().Format(stampFormat))}
	case sig.time.After(now.Add(maxSkew)) && ec2:
		return &failure{http.StatusUnauthorized, "AuthFailure", textInvalid}
	case sig.time.After(now.Add(maxSkew)):
		return &failure{http.StatusForbidden, "SignatureDoesNotMatch",
			fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)",
				sig.stamp, now.Add(maxSkew).UTC().Format(stampFormat), now.UTC().Format(stampFormat))}
	}
	return nil
}

// checkScope checks the credential scope: right service, a region in which
// the account can work. IAM insists on us-east-1, but clients that are given
// an endpoint sign with the region they know, so those are let in as well.
func (a *API) checkScope(s *service, sig *signature, key model.AccessKey) *failure {
	account, _ := a.world.Account(model.AWS, key.AccountID)
	switch {
	case s.name == "ec2" && (sig.service != "ec2" || !account.HasRegion(sig.region)):
		return &failure{http.StatusUnauthorized, "AuthFailure", textInvalid}
	case sig.service != s.name:
		return &failure{http.StatusForbidden, "SignatureDoesNotMatch", "Credential should be scoped to correct service: '" + s.name + "'."}
	case sig.region != "us-east-1" && s.name != "ec2" && !account.HasRegion(sig.region):
		return &failure{http.StatusForbidden, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."}
	}
	return nil
}
