// Package number keeps DynamoDB's numbers, decimals of up to 38 significant
// digits, in their one encoded form. The form is order-preserving: comparing
// encodings as bytes compares the numbers, and equal numbers have equal bytes.
// It is what items store, what sets sort by and what key bytes contain.
//
// A number other than zero is written as a scientific number to the base 100:
//
//	value = ±0.p1 p2 p3 … × 100^E    p: pairs of decimal digits, 0..99; p1 and
//	                                 the last pair are not 0; E: -64..63
//
//	zero      | 80 |
//	positive  | 80 + (E+64) | p1+1 | p2+1 | …
//	negative  | 7f - (E+64) | 101-p1 | 101-p2 | … | 66 (only below 20 pairs)
//
// The closing 0x66 lies above every complemented pair, so that a negative
// number that ends early sorts behind its longer, smaller neighbours. A lone
// 0x80 is a prefix of the smallest positive exponent and sorts before it.
//
// The length of an encoding is the size that the service accounts for the
// number, 1 to 21 bytes. Examples (pinned by TestVectors):
//
//	0         80
//	1         c1 02
//	-1        3e 64 66
//	10        c1 0b
//	100       c2 02
//	0.5       c0 33
//	1.2       c1 02 15
//	-1.2      3e 64 51 66
//	1234      c2 0d 23
//	12340     c3 02 18 29
//	1E-130    80 02
//	1E+125    ff 0b
package number

import "errors"

// The faults of a number, in the order in which they are looked for.
var (
	// ErrSyntax: the text is no number.
	ErrSyntax = errors.New("number: not a number")
	// ErrOverflow: the magnitude is 1E+126 or more.
	ErrOverflow = errors.New("number: magnitude too large")
	// ErrUnderflow: the magnitude is below 1E-130 and not zero.
	ErrUnderflow = errors.New("number: magnitude too small")
	// ErrPrecision: more than 38 significant digits.
	ErrPrecision = errors.New("number: more than 38 significant digits")
	// ErrEncoding: bytes that Parse would never write.
	ErrEncoding = errors.New("number: malformed encoding")
)

const (
	// DigitsMax is the most significant digits of a number.
	DigitsMax = 38
	// EncodedMaxBytes is the length of the longest encoding.
	EncodedMaxBytes = 1 + pairsMax
	// TextMaxBytes is the longest text that AppendText writes: a sign, "0." and
	// 167 decimals (38 digits, the first of them 130 places behind the point).
	TextMaxBytes = 3 + 167

	pairsMax = 20 // 38 digits over pair borders: 19 whole pairs, or 18 and two halves
	expMax   = 126
	expMin   = -129 // value = 0.d1d2… × 10^exp with d1 ≠ 0; 1E-130 is 0.1E-129

	zeroByte  = 0x80
	expBias   = 64
	pairsEnd  = 102 // closes a negative number of fewer than 20 pairs
	negPair   = 101 // a negative pair p is written negPair - p
	posPair   = 1   // a positive pair p is written posPair + p
	pairBase  = 100
	bigPairs  = 24 // room of an addition: wider results cannot have 38 digits
	bigCarry  = 1
	int64Pair = 10 // pairs of the largest 64-bit integer
)

// decimal is a number taken apart: 0.p1p2… × 100^exp, n pairs. n is 0 for zero.
type decimal struct {
	neg   bool
	exp   int
	n     int
	pairs [pairsMax]byte
}

// unpack reads a valid encoding. It does not check what Valid checks, but any
// bytes are safe to give.
func (d *decimal) unpack(enc []byte) {
	*d = decimal{}
	if len(enc) < 2 {
		return
	}
	head, rest := enc[0], enc[1:]
	d.neg = head < zeroByte
	if d.neg {
		d.exp = int(0x7f-head) - expBias
		if rest[len(rest)-1] == pairsEnd {
			rest = rest[:len(rest)-1]
		}
	} else {
		d.exp = int(head-zeroByte) - expBias
	}
	d.n = min(len(rest), pairsMax)
	for i := range d.n {
		if d.neg {
			d.pairs[i] = negPair - rest[i]
		} else {
			d.pairs[i] = rest[i] - posPair
		}
	}
}

// appendEncoded writes sign, exponent and pairs; pairs has no zero pair at
// either end and the exponent is in range.
func appendEncoded(dst []byte, neg bool, exp int, pairs []byte) []byte {
	if len(pairs) == 0 {
		return append(dst, zeroByte)
	}
	if !neg {
		dst = append(dst, byte(zeroByte+exp+expBias))
		for _, p := range pairs {
			dst = append(dst, p+posPair)
		}
		return dst
	}
	dst = append(dst, byte(0x7f-(exp+expBias)))
	for _, p := range pairs {
		dst = append(dst, negPair-p)
	}
	if len(pairs) < pairsMax {
		dst = append(dst, pairsEnd)
	}
	return dst
}

// Valid checks that enc is an encoding that Parse could have written. Use it
// on bytes from a disk or a wire; the other functions take its outcome for
// granted, though none of them panics on other bytes.
func Valid(enc []byte) error {
	if len(enc) == 1 && enc[0] == zeroByte {
		return nil
	}
	if len(enc) < 2 || len(enc) > EncodedMaxBytes+1 {
		return ErrEncoding
	}
	pairs := enc[1:]
	lo, hi := byte(posPair), byte(pairBase)
	zero := byte(posPair)
	neg := enc[0] < zeroByte
	if neg {
		lo, hi, zero = negPair-99, negPair, negPair
		if pairs[len(pairs)-1] == pairsEnd {
			pairs = pairs[:len(pairs)-1]
			if len(pairs) >= pairsMax {
				return ErrEncoding
			}
		} else if len(pairs) != pairsMax {
			return ErrEncoding
		}
	}
	if len(pairs) == 0 || len(pairs) > pairsMax {
		return ErrEncoding
	}
	for _, p := range pairs {
		if p < lo || p > hi {
			return ErrEncoding
		}
	}
	first, last := pairs[0], pairs[len(pairs)-1]
	if first == zero || last == zero {
		return ErrEncoding
	}
	return validDigits(enc, len(pairs))
}

// validDigits refuses a 20-pair encoding of 39 or 40 digits.
func validDigits(enc []byte, pairs int) error {
	if pairs < pairsMax {
		return nil
	}
	var d decimal
	d.unpack(enc)
	if d.pairs[0] >= 10 || d.pairs[pairsMax-1]%10 != 0 {
		return ErrEncoding
	}
	return nil
}
