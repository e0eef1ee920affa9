package codec

// Texts of SerializationException (wire-facts §2).
const (
	msgFieldType         = "Unexpected field type"
	msgValueType         = "Unexpected value type in payload"
	msgStructureStart    = "Start of structure or map found where not expected"
	msgUnrecognizedClass = "Unrecognized collection type class "
	msgUnrecognizedMap   = "Unrecognized collection type java.util.Map<java.lang.String, "
	msgUnexpectedToken   = "Unexpected token received from parser"
	msgConvert           = "_VALUE cannot be converted to "
	msgBase64Only        = "only base-64-encoded strings are convertible to bytes"
	msgBase64Length      = "Base64 encoded length is expected a multiple of 4 bytes but found: "
	// msgBase64Character is followed by the character and a quote; unsure.
	msgBase64Character = "Invalid Base64 character: '"
	// DynamoDB does write "dectected": TestSlowBlob.
	msgBase64Last = "Invalid last non-pad Base64 character dectected"
)

// Texts about limits of our own, which the service meets otherwise: a request beyond them takes many times
// the memory of its body, or time that grows with its square.
const (
	msgManyElements = "The request has too many elements in its lists and maps"
	msgManyBad      = "The request has too many values that are not valid"
)

const (
	// elementsMax bounds the elements of a request that become structures, far above what any
	// operation takes.
	elementsMax = 100_000
	// badMax bounds the bad values of a request: two for each action of the longest transaction.
	badMax = 200
)

// Java names in texts.
const (
	structurePackage = "com.amazonaws.dynamodb.v20120810."
	classString      = "java.lang.String"
	classBytes       = "java.nio.ByteBuffer"
)
