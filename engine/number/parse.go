package number

// expClamp bounds the exponent while it is read: far outside the range, far
// inside an int even when the digits of a 16 MB text are added.
const expClamp = 1 << 40

// digits collects the significant digits of a text: leading zeros are never
// stored, trailing ones only when another digit follows.
type digits struct {
	buf   [2 * pairsMax]byte // from buf[1] on, so that an odd exponent costs no shift
	n     int                // digits in buf
	zeros int                // zeros seen since the last digit stored
	over  bool               // more than DigitsMax digits
}

// add takes the next digit, 0..9, of which at least one nonzero came before or
// which is itself not zero.
func (d *digits) add(c byte) {
	if c == 0 {
		d.zeros++
		return
	}
	if d.n+d.zeros+1 > DigitsMax {
		d.over = true
		d.zeros = 0
		return
	}
	d.n += d.zeros // buf is zeroed
	d.zeros = 0
	d.buf[1+d.n] = c
	d.n++
}

// Parse appends the encoding of a decimal text: an optional sign, digits with
// an optional point, an optional exponent. The error is ErrSyntax,
// ErrOverflow, ErrUnderflow or ErrPrecision, the first that applies; dst is
// then returned as it was.
func Parse(dst, text []byte) ([]byte, error) {
	if v, ok := plainInt(text); ok {
		return FromInt(dst, v), nil
	}
	return parse(dst, text)
}

// plainIntMax is the most digits of a text that surely fits an int64.
const plainIntMax = 18

// plainInt reads what most numbers are: a few digits, perhaps with a minus.
func plainInt(text []byte) (v int64, ok bool) {
	digits := text
	if len(text) > 1 && text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > plainIntMax {
		return 0, false
	}
	for _, c := range digits {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		v = v*10 + int64(c)
	}
	if len(digits) < len(text) {
		v = -v
	}
	return v, true
}

func parse(dst, text []byte) ([]byte, error) {
	var d digits
	i, neg := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		neg = text[0] == '-'
		i = 1
	}
	point, exp, seen := false, 0, false // exp: decimal places before d1's point
loop:
	for ; i < len(text); i++ {
		c := text[i] - '0'
		switch {
		case c <= 9:
			seen = true
			if c == 0 && d.n == 0 {
				if point {
					exp--
				}
				continue
			}
			if !point {
				exp++
			}
			d.add(c)
		case text[i] == '.' && !point:
			point = true
		default:
			break loop
		}
	}
	if !seen {
		return dst, ErrSyntax
	}
	if i < len(text) {
		e, err := parseExponent(text[i:])
		if err != nil {
			return dst, err
		}
		exp += e
	}
	return d.finish(dst, neg, exp)
}

// parseExponent reads "e", "E", an optional sign and at least one digit.
func parseExponent(text []byte) (int, error) {
	if text[0] != 'e' && text[0] != 'E' {
		return 0, ErrSyntax
	}
	text = text[1:]
	neg := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		neg = text[0] == '-'
		text = text[1:]
	}
	if len(text) == 0 {
		return 0, ErrSyntax
	}
	e := 0
	for _, c := range text {
		c -= '0'
		if c > 9 {
			return 0, ErrSyntax
		}
		if e < expClamp {
			e = e*10 + int(c)
		}
	}
	if neg {
		e = -e
	}
	return e, nil
}

// finish checks range and precision and packs the digits into pairs.
func (d *digits) finish(dst []byte, neg bool, exp int) ([]byte, error) {
	switch {
	case d.n == 0:
		return append(dst, zeroByte), nil
	case exp > expMax:
		return dst, ErrOverflow
	case exp < expMin:
		return dst, ErrUnderflow
	case d.over:
		return dst, ErrPrecision
	}
	// With an odd exponent the first pair is "0 d1": start at the zero that
	// buf[0] holds. Behind the last digit buf holds zeros as well.
	start := 1
	if exp&1 != 0 {
		start = 0
		exp++
	}
	var pairs [pairsMax]byte
	n := (1 + d.n - start + 1) / 2
	for i := range n {
		pairs[i] = d.buf[start+2*i]*10 + at(&d.buf, start+2*i+1)
	}
	return appendEncoded(dst, neg, exp/2, pairs[:n]), nil
}

// at is buf[i], zero behind its end.
func at(buf *[2 * pairsMax]byte, i int) byte {
	if i >= len(buf) {
		return 0
	}
	return buf[i]
}

// FromInt appends the encoding of an integer.
func FromInt(dst []byte, v int64) []byte {
	neg := v < 0
	u := uint64(v)
	if neg {
		u = -u
	}
	exp := 0
	var pairs [int64Pair]byte
	first := len(pairs)
	for u != 0 {
		first--
		pairs[first] = byte(u % pairBase)
		u /= pairBase
		exp++
	}
	used := pairs[first:]
	for len(used) > 0 && used[len(used)-1] == 0 {
		used = used[:len(used)-1]
	}
	return appendEncoded(dst, neg, exp, used)
}
