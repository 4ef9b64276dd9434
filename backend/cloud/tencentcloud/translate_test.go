package tencentcloud

import (
	"context"
	"errors"
	"testing"

	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

func TestTranslateKeepsTheChain(t *testing.T) {
	own := cloud.Errorf(cloud.NotReady, "own")
	if got := translate(originStatic, describeInstances, own); got != own {
		t.Errorf("an error that has a kind became %v", got)
	}
	network := tcerr.NewTencentCloudSDKErrorWithCause("ClientError.NetworkError", "Fail to get response", "", context.DeadlineExceeded)
	if got := translate(originStatic, describeInstances, network); got.Kind != cloud.Unknown || !errors.Is(got, context.DeadlineExceeded) {
		t.Errorf("%v", got)
	}
	api := tcerr.NewTencentCloudSDKError("MutexOperation.TaskRunning", "text", "id")
	var sdk *tcerr.TencentCloudSDKError
	if got := translate(originStatic, resetInstancesPassword, api); !errors.As(got, &sdk) || sdk.Code != "MutexOperation.TaskRunning" ||
		sdk.RequestId != "id" {
		t.Errorf("%v does not lead to the SDK's error", got)
	}
	// The SDK puts the whole answer into such an error, so it must not be kept.
	parse := tcerr.NewTencentCloudSDKError("ClientError.ParseJsonError", "Fail to parse json content: "+testPassword, "")
	wantKind(t, translate(originStatic, resetInstancesPassword, parse), cloud.Unknown)
	wantKind(t, translate(originStatic, resetInstancesPassword, errors.New("anything else")), cloud.Unknown)
}

func TestPermissionMissing(t *testing.T) {
	for code, want := range map[string]bool{
		"AuthFailure.UnauthorizedOperation": true, "UnauthorizedOperation": true, "UnauthorizedOperation.X": true,
		"UnauthorizedOperation.InvalidToken": false,
		"AuthFailure.SignatureFailure":       false, "InternalError": false,
	} {
		err := error(translate(originStatic, getCallerIdentity, tcerr.NewTencentCloudSDKError(code, "", "")))
		if got := permissionMissing(err); got != want {
			t.Errorf("%s: %t", code, got)
		}
	}
	if permissionMissing(nil) || permissionMissing(errors.New("x")) {
		t.Error("no API error lacks a permission")
	}
}
