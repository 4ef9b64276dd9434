package awsapi

import (
	"encoding/xml"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// failure is an error answer. Codes and texts are those of the EC2, STS and
// IAM API references' error pages.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(code, message string) *failure {
	return &failure{http.StatusBadRequest, code, message}
}

// ec2Error and its kin are EC2's form of an error.
type ec2Errors struct {
	XMLName   xml.Name `xml:"Response"`
	Code      string   `xml:"Errors>Error>Code"`
	Message   string   `xml:"Errors>Error>Message"`
	RequestID string   `xml:"RequestID"`
}

// queryError is the form of STS and IAM.
type queryError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// answerError writes a failure in the form of a service.
func answerError(s *service, f *failure, requestID string) wire.Answer {
	var body any = ec2Errors{Code: f.code, Message: f.message, RequestID: requestID}
	if s.name != "ec2" {
		kind := "Sender"
		if f.status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		body = queryError{Namespace: s.namespace, Type: kind, Code: f.code, Message: f.message, RequestID: requestID}
	}
	return answerXML(f.status, f.code, body, requestID)
}

func answerXML(status int, code string, body any, requestID string) wire.Answer {
	text, err := xml.Marshal(body)
	if err != nil {
		return wire.Answer{Status: http.StatusInternalServerError, Code: "InternalError", Body: []byte(err.Error())}
	}
	return wire.Answer{
		Status: status, Code: code, RequestID: requestID,
		Header: map[string]string{"Content-Type": "text/xml;charset=UTF-8", "x-amzn-RequestId": requestID},
		Body:   append([]byte(xml.Header), text...),
	}
}

// refusal translates an injected refusal or the rate limit's.
func refusal(s *service, r *model.Refusal) *failure {
	switch {
	case r.Kind == model.Coded:
		return &failure{r.Status, r.Code, r.Message}
	case r.Kind == model.Throttled && s.name == "ec2":
		return &failure{http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded."}
	case r.Kind == model.Throttled:
		return &failure{http.StatusBadRequest, "Throttling", "Rate exceeded"}
	case s.name == "ec2":
		return &failure{http.StatusInternalServerError, "InternalError", "An internal error has occurred"}
	default:
		return &failure{http.StatusInternalServerError, "InternalFailure",
			"The request processing has failed because of an unknown error, exception or failure."}
	}
}
