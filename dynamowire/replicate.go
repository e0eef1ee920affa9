package dynamowire

import (
	"context"
	"encoding/json"

	"github.com/keystone-db/kstone/engine/api"
)

// ReplicateTarget is the target by which a database calls another one in which its tables have replicas
// (api.Replicator), with a body of its own. Only keys that may do everything may use it.
const ReplicateTarget = "KStone_20261129.Replicate"

// replicate is what the service knows no operation for.
var replicate = operation{
	name: "Replicate",
	call: func(ctx context.Context, svc api.Service, who *caller, body, dst []byte) ([]byte, error) {
		if who != nil && !who.access.mayAll(who.key) { // policies of tables are not asked, as in the service
			return dst, api.Errorf(api.AccessDenied, msgDenied, who.account(), who.key.User, servicePrefix+who.op, noTable)
		}
		to, ok := svc.(api.Replicator)
		if !ok {
			return dst, api.Errorf(api.UnknownOperation, "")
		}
		var in api.ReplicateInput
		if err := json.Unmarshal(body, &in); err != nil {
			return dst, api.Errorf(api.Serialization, api.MsgReplicateForm, "the step cannot be read")
		}
		out, err := to.Replicate(ctx, &in)
		if err != nil {
			return dst, err
		}
		b, err := json.Marshal(out)
		return append(dst, b...), err
	},
}
