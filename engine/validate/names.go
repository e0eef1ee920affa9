package validate

import (
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// Lengths of table and index names.
const (
	nameLengthMin = 3
	nameLengthMax = 255
	// arnLengthMax bounds TableName, which may be an ARN, in characters.
	arnLengthMax = 1024
)

// ARNs of tables: arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME.
const (
	arnPrefix      = "arn:"
	arnParts       = 6
	arnService     = "dynamodb"
	arnTablePrefix = "table/"
)

// Table returns the table that a TableName member names: the name itself, or the table of an ARN,
// whatever its region and account, since one database serves clients of every region and key. What the
// service answers to those of others is not known (wire-facts §3.5). False when it is neither.
func Table(ref string) (name string, ok bool) {
	name = ref
	if strings.HasPrefix(ref, arnPrefix) {
		if name, ok = arnResource(ref); !ok {
			return "", false
		}
	}
	if len(name) < nameLengthMin || len(name) > nameLengthMax || !nameChars(name) {
		return "", false
	}
	return name, true
}

// arnResource returns what stands behind "table/" in the ARN of a table or of a part of one.
func arnResource(ref string) (string, bool) {
	parts := strings.SplitN(ref, ":", arnParts)
	if len(parts) < arnParts || parts[2] != arnService {
		return "", false
	}
	return strings.CutPrefix(parts[arnParts-1], arnTablePrefix)
}

// tableForm is the check of a TableName that the constraints let pass (wire-facts §3.5).
func tableForm(ref string) error {
	if _, ok := Table(ref); !ok {
		return invalid(api.MsgTableNameInvalid)
	}
	return nil
}

// controlTable is the check of TableName that control-plane operations make before all others.
func controlTable(name api.Opt[string]) error {
	switch n := javaLen(name.Value); {
	case !name.Set:
		return invalid(api.MsgTableNameAbsent)
	case strings.HasPrefix(name.Value, arnPrefix):
		return nil
	case n < nameLengthMin || n > nameLengthMax:
		return invalid(api.MsgTableNameLength)
	}
	return nil
}
