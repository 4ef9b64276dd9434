package request

import (
	"cmp"
	"errors"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Messages keep what they tell people to type as hints. This file renders them once, when an answer or an error leaves,
// with the path of the mount that the request came to.

// documentedMount is where every page of the documentation has the mount, for requests that name none.
const documentedMount = "cloudpw/"

// warningsField holds an answer's warnings, as []hint.Text, until they are rendered: logical.Response takes strings only.
const warningsField = "\x00warnings"

// Warn adds warnings that may hold hints to an answer, which may be nil.
func Warn(resp *logical.Response, warnings ...hint.Text) *logical.Response {
	if len(warnings) == 0 {
		return resp
	}
	if resp == nil {
		resp = &logical.Response{}
	}
	if resp.Data == nil {
		resp.Data = map[string]any{}
	}
	known, _ := resp.Data[warningsField].([]hint.Text)
	resp.Data[warningsField] = append(known, warnings...)
	return resp
}

// Mount is the path of the mount that the request came to.
func Mount(req *logical.Request) string { return cmp.Or(req.MountPoint, documentedMount) }

// AtMount renders what a request is answered.
func AtMount(req *logical.Request, resp *logical.Response, err error) (*logical.Response, error) {
	mount := Mount(req)
	return responseAt(mount, resp), errorAt(mount, err)
}

// errorAt renders an error. One without hints that Vault knows by its type keeps it.
func errorAt(mount string, err error) error {
	if err == nil {
		return nil
	}
	message := hint.Of(err).At(mount)
	var coded logical.HTTPCodedError
	isCoded := errors.As(err, &coded)
	var own *Error
	switch {
	case errors.As(err, &own) || isCoded && message != err.Error():
		return logical.CodedError(coded.Code(), message)
	case message != err.Error():
		return errors.New(message)
	}
	return err
}

// responseAt renders an answer's warnings and texts.
func responseAt(mount string, resp *logical.Response) *logical.Response {
	if resp == nil {
		return nil
	}
	if warnings, ok := resp.Data[warningsField].([]hint.Text); ok {
		if delete(resp.Data, warningsField); len(resp.Data) == 0 {
			resp.Data = nil
		}
		for _, warning := range warnings {
			resp.AddWarning(warning.At(mount))
		}
	}
	dataAt(mount, resp.Data)
	return resp
}

func dataAt(mount string, data map[string]any) {
	for name, value := range data {
		switch v := value.(type) {
		case hint.Text:
			data[name] = v.At(mount)
		case []hint.Text:
			texts := make([]string, 0, len(v))
			for _, text := range v {
				texts = append(texts, text.At(mount))
			}
			data[name] = texts
		case map[string]hint.Text:
			texts := make(map[string]string, len(v))
			for key, text := range v {
				texts[key] = text.At(mount)
			}
			data[name] = texts
		case map[string]any:
			dataAt(mount, v)
		case []map[string]any:
			for _, element := range v {
				dataAt(mount, element)
			}
		}
	}
}
