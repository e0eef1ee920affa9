package validate

import (
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// PutResourcePolicy makes the static checks of wire-facts §6.23; that of the document is policy.Parse.
func PutResourcePolicy(in *api.PutResourcePolicyInput) error {
	if err := Constraints(opPutResourcePolicy, in); err != nil {
		return err
	}
	return policedARN(in.ResourceArn.Value)
}

// GetResourcePolicy makes the static checks of wire-facts §6.23.
func GetResourcePolicy(in *api.GetResourcePolicyInput) error {
	if err := Constraints(opGetResourcePolicy, in); err != nil {
		return err
	}
	return policedARN(in.ResourceArn.Value)
}

// DeleteResourcePolicy makes the static checks of wire-facts §6.23.
func DeleteResourcePolicy(in *api.DeleteResourcePolicyInput) error {
	if err := Constraints(opDeleteResourcePolicy, in); err != nil {
		return err
	}
	return policedARN(in.ResourceArn.Value)
}

// policedARN refuses ARNs of anything but a table or a stream.
func policedARN(arn string) error {
	if _, ok := Stream(arn); ok || tableARN(arn) == nil {
		return nil
	}
	switch {
	case !strings.HasPrefix(arn, arnPrefix):
		return invalid(api.MsgPolicyArnStart, arn)
	case !strings.Contains(arn, ":dynamodb:"):
		return invalid(api.MsgPolicyArnService, arn)
	}
	return invalid(api.MsgPolicyArnKind, arn)
}
