package api

// Resource policies (wire-facts §6.23).
const (
	// MsgPolicyNotFound is PolicyNotFound of a resource without a policy; ARN.
	MsgPolicyNotFound = "Resource-based policy not found for the provided ResourceArn: %s"
	// MsgPolicyUnexpected is ExpectedRevisionId NO_POLICY of a resource that has a policy; table, revision.
	MsgPolicyUnexpected = "Resource-based policy not found for the provided ResourceArn: Requested policy update expecting " +
		"none to be present for table %s, but a policy exists with revision id %s."
	// MsgPolicyRevision is a wrong ExpectedRevisionId; revision asked for, table, revision there is.
	MsgPolicyRevision = "Resource-based policy not found for the provided ResourceArn: Requested update for policy with " +
		"revision id %s, but the policy associated to target table %s has revision id %s."
	// MsgPolicyInvalid is a document that is none; what is wrong; unsure: only the refusal is known.
	MsgPolicyInvalid = "Invalid policy document: %s"
	// MsgPolicyLocksOut is a policy that takes from its caller the right to change it; unsure.
	MsgPolicyLocksOut = "The new resource policy would deny the caller access to change the policy in the future. " +
		"Set ConfirmRemoveSelfResourceAccess to true to confirm"
	// MsgPolicyArn is a ResourceArn of neither a table nor a stream; ARN; unsure.
	MsgPolicyArn = "Invalid ResourceArn provided as input %s"
)
