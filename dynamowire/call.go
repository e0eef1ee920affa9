package dynamowire

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
)

// Call makes one call of the service as the HTTP door does, without HTTP: body is the JSON of the
// request, at most BodyMaxBytes, and the result is the JSON of the answer. It is empty for TagResource
// and UntagResource, as over HTTP. Both belong to the caller; body is only read.
//
// Errors that a client may see are of type *api.Error: UnknownOperation without a text for a name that
// is none of api.Operations, Serialization for a body that is no JSON object (without a text) or has
// members of wrong types, and those of the operation. Any other error is internal and its text is for
// the log: api.CodeOf tells what to answer. Operations of streams need no other name here.
func Call(ctx context.Context, svc api.Service, operation string, body []byte) ([]byte, error) {
	return Access{}.Call(ctx, nil, svc, operation, body)
}

// Call is the function Call for the holder of a key, who is refused, by AccessDenied, what the key may
// not do. A nil key may do everything.
func (a Access) Call(
	ctx context.Context, key *sigv4.Key, svc api.Service, operation string, body []byte,
) ([]byte, error) {
	op := operations()[operation]
	var err error
	switch {
	case op == nil:
		err = checkBody(api.Errorf(api.UnknownOperation, ""), body)
	case len(body) > BodyMaxBytes:
		err = errNotJSON // as for any body that cannot be read
	default:
		err = checkBody(nil, body)
	}
	if err != nil {
		return nil, err
	}
	answer, err := op.call(ctx, svc, a.callerIn(ctx, key, operation), body, nil)
	if err == nil {
		return answer, nil
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return nil, settled(e, body)
	}
	return nil, err
}
