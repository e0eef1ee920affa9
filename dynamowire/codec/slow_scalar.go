package codec

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

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
	// DynamoDB does write "dectected": TestSlowBlob.
	msgBase64Last = "Invalid last non-pad Base64 character dectected"

	structurePackage = "com.amazonaws.dynamodb.v20120810."
	classString      = "java.lang.String"
	classBytes       = "java.nio.ByteBuffer"
)

// mapValueClass is the class of a map's values in the text about an array in its place.
func mapValueClass(s *slowShape) string {
	switch {
	case s.kind == slowNames:
		return classString
	case s.kind == slowValues || s.kind == slowItem:
		return structurePackage + "AttributeValue"
	case s.of.kind == slowStructure:
		return structurePackage + s.of.name
	}
	return classString
}

// javaClass is the class of a scalar in texts.
func javaClass(k slowKind) string {
	switch k {
	case slowInteger:
		return "Integer"
	case slowLong:
		return "Long"
	case slowDouble:
		return "Double"
	case slowBoolean:
		return "Boolean"
	case slowTimestamp:
		return "Date" // unsure: the sheet has no row for timestamps
	}
	return "String"
}

// slowScalar converts a token that is not null.
func slowScalar(v reflect.Value, s *slowShape, tok json.Token) error {
	if d, ok := tok.(json.Delim); ok {
		return delimText(s, d)
	}
	switch s.kind {
	case slowString:
		text, ok := tok.(string)
		if !ok {
			return slowMismatch(tokenName(tok) + msgConvert + javaClass(s.kind))
		}
		v.SetString(text)
		return nil
	case slowBoolean:
		return slowBool(v, tok)
	case slowBlob:
		return slowBytes(v, tok)
	}
	n, ok := tok.(json.Number)
	if !ok {
		return slowMismatch(tokenName(tok) + msgConvert + javaClass(s.kind))
	}
	return slowNumber(v, s, n)
}

// delimText is an object or array in place of a scalar.
func delimText(s *slowShape, d json.Delim) error {
	switch {
	case d == '{':
		return slowMismatch(msgStructureStart)
	case s.kind == slowBlob:
		return slowMismatch(msgUnrecognizedClass + classBytes)
	case s.kind == slowTimestamp:
		return slowMismatch(msgUnrecognizedClass + "java.util.Date") // unsure, as javaClass
	}
	return slowMismatch(msgUnrecognizedClass + "java.lang." + javaClass(s.kind))
}

// tokenName is how texts call the JSON type of a scalar.
func tokenName(tok json.Token) string {
	switch t := tok.(type) {
	case bool:
		if t {
			return "TRUE"
		}
		return "FALSE"
	case json.Number:
		if isDecimal(t) {
			return "DECIMAL"
		}
		return "NUMBER"
	}
	return "STRING"
}

func isDecimal(n json.Number) bool { return strings.ContainsAny(string(n), ".eE") }

// slowBool takes true and false and some strings. DynamoDB does this: TestSlowBoolean.
func slowBool(v reflect.Value, tok json.Token) error {
	switch t := tok.(type) {
	case bool:
		v.SetBool(t)
		return nil
	case string:
		switch strings.ToLower(t) {
		case "true", "1", "yes":
			v.SetBool(true)
			return nil
		case "false", "0", "no":
			v.SetBool(false)
			return nil
		}
		return slowMismatch(msgUnexpectedToken)
	}
	return slowMismatch(tokenName(tok) + msgConvert + "Boolean")
}

// slowNumber fills a number or timestamp; fractions of whole numbers are cut off, and what no integer
// can hold becomes the nearest one, so that range constraints refuse it.
func slowNumber(v reflect.Value, s *slowShape, n json.Number) error {
	switch s.kind {
	case slowDouble:
		f, _ := n.Float64() // out of range gives an infinity: no value of the contract is that large
		v.SetFloat(clampFloat(f))
	case slowTimestamp:
		f, _ := n.Float64()
		v.Set(reflect.ValueOf(secondsTime(f)))
	default:
		v.SetInt(wholeNumber(n))
	}
	return nil
}

func clampFloat(f float64) float64 { return max(-math.MaxFloat64, min(math.MaxFloat64, f)) }

func wholeNumber(n json.Number) int64 {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	f, _ := n.Float64()
	switch f = math.Floor(f); {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// timestampMaxSeconds bounds timestamps on both sides: about the years -30000 to 34000, whose
// milliseconds float64 holds exactly.
const timestampMaxSeconds = 1e12

// secondsTime turns seconds since 1970 into a time of millisecond precision.
func secondsTime(f float64) time.Time {
	f = max(-timestampMaxSeconds, min(timestampMaxSeconds, f))
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC()
}

// slowBytes takes base64 with padding.
func slowBytes(v reflect.Value, tok json.Token) error {
	text, ok := tok.(string)
	if !ok {
		return slowMismatch(msgBase64Only)
	}
	if len(text)%4 != 0 {
		return slowMismatch(msgBase64Length + strconv.Itoa(len(text)))
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return slowMismatch(msgBase64Last)
	}
	v.SetBytes(b)
	return nil
}

func slowPlaceIndex(place string, i int) string { return place + "." + strconv.Itoa(i) }
