package api

// Code names the class of an error. The list is closed: doors render an error from its class.
type Code string

// Errors that the service's model names, in alphabetical order.
const (
	BackupInUse                   Code = "BackupInUseException"
	BackupNotFound                Code = "BackupNotFoundException"
	ConditionalCheckFailed        Code = "ConditionalCheckFailedException"
	ContinuousBackupsUnavailable  Code = "ContinuousBackupsUnavailableException"
	DuplicateItem                 Code = "DuplicateItemException"
	ExpiredIterator               Code = "ExpiredIteratorException"
	ExportConflict                Code = "ExportConflictException"
	ExportNotFound                Code = "ExportNotFoundException"
	GlobalTableAlreadyExists      Code = "GlobalTableAlreadyExistsException"
	GlobalTableNotFound           Code = "GlobalTableNotFoundException"
	IdempotentParameterMismatch   Code = "IdempotentParameterMismatchException"
	ImportConflict                Code = "ImportConflictException"
	ImportNotFound                Code = "ImportNotFoundException"
	IndexNotFound                 Code = "IndexNotFoundException"
	InternalServerError           Code = "InternalServerError"
	InvalidExportTime             Code = "InvalidExportTimeException"
	InvalidRestoreTime            Code = "InvalidRestoreTimeException"
	ItemCollectionSizeLimit       Code = "ItemCollectionSizeLimitExceededException"
	LimitExceeded                 Code = "LimitExceededException"
	PointInTimeUnavailable        Code = "PointInTimeRecoveryUnavailableException"
	PolicyNotFound                Code = "PolicyNotFoundException"
	ProvisionedThroughputExceeded Code = "ProvisionedThroughputExceededException"
	ReplicaAlreadyExists          Code = "ReplicaAlreadyExistsException"
	ReplicaNotFound               Code = "ReplicaNotFoundException"
	ReplicatedWriteConflict       Code = "ReplicatedWriteConflictException"
	RequestLimitExceeded          Code = "RequestLimitExceeded"
	ResourceInUse                 Code = "ResourceInUseException"
	ResourceNotFound              Code = "ResourceNotFoundException"
	TableAlreadyExists            Code = "TableAlreadyExistsException"
	TableInUse                    Code = "TableInUseException"
	TableNotFound                 Code = "TableNotFoundException"
	Throttling                    Code = "ThrottlingException"
	TransactionCanceled           Code = "TransactionCanceledException"
	TransactionConflict           Code = "TransactionConflictException"
	TransactionInProgress         Code = "TransactionInProgressException"
	TrimmedDataAccess             Code = "TrimmedDataAccessException"
)

// Errors of the framework in front of the service (wire-facts §1.4).
const (
	AccessDenied               Code = "AccessDeniedException"
	ExpiredToken               Code = "ExpiredTokenException"
	IncompleteSignature        Code = "IncompleteSignatureException"
	InvalidSignature           Code = "InvalidSignatureException"
	MissingAuthenticationToken Code = "MissingAuthenticationTokenException"
	Serialization              Code = "SerializationException"
	UnknownOperation           Code = "UnknownOperationException"
	UnrecognizedClient         Code = "UnrecognizedClientException"
	Validation                 Code = "ValidationException"
)

// Kinds of failures that are not the client's. CodeOf finds them in errors that say so themselves.
const (
	// Unavailable: nothing was done, and trying again later may help. It has a status of its own, as
	// the service's documentation and wire-facts §1.4 have one, so that a client and a load balancer
	// can tell it from a failure that may have changed something: the SDKs try again after 500 and 503
	// alike, going by the status. Type and text are unsure: the service is known to send no JSON at
	// all at times, which SDKs cannot read and then do not retry (aws-sdk-js-v3 issue 4683).
	Unavailable Code = "ServiceUnavailableException"
	// DataLoss: stored bytes do not verify. It appears as InternalServerError: the service has no name
	// for it.
	DataLoss Code = "DataLoss"
)

// Namespace is what stands before the '#' of an error's __type.
type Namespace string

// The four namespaces of wire-facts §1.4.
const (
	NamespaceDynamoDB     Namespace = "com.amazonaws.dynamodb.v20120810"
	NamespaceValidate     Namespace = "com.amazon.coral.validate"
	NamespaceService      Namespace = "com.amazon.coral.service"
	NamespaceAvailability Namespace = "com.amazon.coral.availability"
)

// Spellings of the member that holds the text. A text that is empty is left out whatever the
// spelling says.
const (
	TextLower = "message"
	TextUpper = "Message"
)

// Class says how an error appears on the wire.
type Class struct {
	Status    int // HTTP status
	Namespace Namespace
	// Text is the member that holds the message: TextLower or TextUpper.
	Text string
}

// HTTP statuses of errors.
const (
	statusClient      = 400
	statusInternal    = 500
	statusUnavailable = 503
)

// Class returns how the error appears on the wire. Codes outside the list appear as
// InternalServerError does.
func (c Code) Class() Class {
	switch c {
	case TransactionCanceled, TransactionInProgress, IdempotentParameterMismatch:
		return Class{statusClient, NamespaceDynamoDB, TextUpper}
	case Validation:
		return Class{statusClient, NamespaceValidate, TextLower}
	case Serialization, AccessDenied:
		return Class{statusClient, NamespaceService, TextUpper}
	// The service sends UnknownOperation without a text; ours has one for operations that are
	// known and not built, spelled as newer stacks of the service spell it.
	case UnknownOperation, MissingAuthenticationToken, IncompleteSignature, InvalidSignature,
		UnrecognizedClient, ExpiredToken:
		return Class{statusClient, NamespaceService, TextLower}
	case Unavailable:
		return Class{statusUnavailable, NamespaceService, TextLower}
	}
	if c == InternalServerError || !c.Known() {
		return Class{statusInternal, NamespaceDynamoDB, TextLower}
	}
	return Class{statusClient, NamespaceDynamoDB, TextLower}
}

// Known says whether the code is in the closed list.
func (c Code) Known() bool {
	switch c {
	case BackupInUse, BackupNotFound, ConditionalCheckFailed, ContinuousBackupsUnavailable,
		DuplicateItem, ExpiredIterator, ExportConflict, ExportNotFound, GlobalTableAlreadyExists,
		GlobalTableNotFound, IdempotentParameterMismatch, ImportConflict, ImportNotFound,
		IndexNotFound, InternalServerError, InvalidExportTime, InvalidRestoreTime,
		ItemCollectionSizeLimit, LimitExceeded, PointInTimeUnavailable, PolicyNotFound,
		ProvisionedThroughputExceeded, ReplicaAlreadyExists, ReplicaNotFound,
		ReplicatedWriteConflict, RequestLimitExceeded, ResourceInUse, ResourceNotFound,
		TableAlreadyExists, TableInUse, TableNotFound, Throttling, TransactionCanceled,
		TransactionConflict, TransactionInProgress, TrimmedDataAccess,
		AccessDenied, ExpiredToken, IncompleteSignature, InvalidSignature,
		MissingAuthenticationToken, Serialization, Unavailable, UnknownOperation, UnrecognizedClient,
		Validation:
		return true
	}
	return false
}
