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
	// MsgPolicyNone is an ExpectedRevisionId of a resource without a policy; revision asked for, table; its end is unsure.
	MsgPolicyNone = "Resource-based policy not found for the provided ResourceArn: Requested update for policy with " +
		"revision id %s, but table %s has no associated policy."
	// MsgPolicyInvalid is a document that is none; what is wrong, which package policy says; unsure: some of that.
	MsgPolicyInvalid = PrefixInvalid + "Invalid policy document: %s"
	// MsgPolicySize is one that is too long; limit.
	MsgPolicySize = PrefixInvalid + "Maximum policy size of %d bytes exceeded"
	// MsgPolicyPrincipal is one about somebody who is no account and no ARN.
	MsgPolicyPrincipal = PrefixInvalid + "Invalid principal in policy document."
	// MsgPolicyUnbounded is one that lets everybody in.
	MsgPolicyUnbounded = "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to " +
		"ensure least-privilege form of access"
	// MsgPolicyLocksOut is AccessDenied of a policy that takes from its caller the right to put another.
	MsgPolicyLocksOut = "The new resource policy will not allow you to update the resource policy in the future."
	// MsgPolicyStream is ResourceNotFound of a stream; label, table.
	MsgPolicyStream = "Requested resource not found: Stream: %s not found for Table: %s"
	// MsgPolicyArnStart, MsgPolicyArnService and MsgPolicyArnKind are ResourceArns of neither a table nor a stream; ARN.
	MsgPolicyArnStart   = PrefixInvalid + "ARNs must start with 'arn:': %s"
	MsgPolicyArnService = PrefixInvalid + "Provided Arn is not a DynamoDB resource arn: %s"
	MsgPolicyArnKind    = PrefixInvalid + "Invalid resource arn provided, only table or stream is accepted. Provided resource arn: %s"
)
