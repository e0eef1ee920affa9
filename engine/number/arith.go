package number

// Add appends the encoding of a+b. The sum is exact: it is refused with
// ErrOverflow, ErrUnderflow or ErrPrecision rather than rounded, and dst is
// then returned as it was. dst must not overlap a or b.
func Add(dst, a, b []byte) ([]byte, error) { return add(dst, a, b, false) }

// Sub appends the encoding of a-b; see Add.
func Sub(dst, a, b []byte) ([]byte, error) { return add(dst, a, b, true) }

// big is an unsigned decimal of bigPairs pairs and one for the carry; pairs[0]
// is the carry, pairs[1] stands just behind the point of 0.… × 100^top.
type big [bigCarry + bigPairs]byte

func add(dst, a, b []byte, negate bool) ([]byte, error) {
	var x, y decimal
	x.unpack(a)
	y.unpack(b)
	y.neg = y.neg != negate
	switch {
	case y.n == 0:
		return append(dst, a...), nil
	case x.n == 0:
		return appendEncoded(dst, y.neg, y.exp, y.pairs[:y.n]), nil
	}
	if x.exp < y.exp {
		x, y = y, x
	}
	// x reaches highest, so the gap is at least four pairs when y ends outside
	// of big, and cancellation takes at most one: more than 38 digits remain.
	top := x.exp
	if top-(y.exp-y.n) > bigPairs {
		return dst, ErrPrecision
	}
	var p, q big
	copy(p[bigCarry:], x.pairs[:x.n])
	copy(q[bigCarry+top-y.exp:], y.pairs[:y.n])
	neg := x.neg
	switch {
	case x.neg == y.neg:
		p.plus(&q)
	case p.less(&q):
		q.minus(&p)
		p, neg = q, y.neg
	default:
		p.minus(&q)
	}
	return p.finish(dst, neg, top+bigCarry)
}

func (p *big) less(q *big) bool {
	for i := range p {
		if p[i] != q[i] {
			return p[i] < q[i]
		}
	}
	return false
}

func (p *big) plus(q *big) {
	carry := byte(0)
	for i := len(p) - 1; i >= 0; i-- {
		s := p[i] + q[i] + carry
		carry = 0
		if s >= pairBase {
			s -= pairBase
			carry = 1
		}
		p[i] = s
	}
}

// minus subtracts q, which is not larger than p.
func (p *big) minus(q *big) {
	borrow := byte(0)
	for i := len(p) - 1; i >= 0; i-- {
		s := q[i] + borrow
		borrow = 0
		if p[i] < s {
			borrow = 1
			p[i] += pairBase
		}
		p[i] -= s
	}
}

// finish strips zeros, checks range and precision and encodes; exp belongs to
// p[0].
func (p *big) finish(dst []byte, neg bool, exp int) ([]byte, error) {
	pairs := p[:]
	for len(pairs) > 0 && pairs[0] == 0 {
		pairs = pairs[1:]
		exp--
	}
	for len(pairs) > 0 && pairs[len(pairs)-1] == 0 {
		pairs = pairs[:len(pairs)-1]
	}
	if len(pairs) == 0 {
		return append(dst, zeroByte), nil
	}
	digits := 2 * len(pairs)
	if pairs[0] < 10 {
		digits--
	}
	if pairs[len(pairs)-1]%10 == 0 {
		digits--
	}
	switch {
	case exp > expMax/2:
		return dst, ErrOverflow
	case exp < -expBias:
		return dst, ErrUnderflow
	case digits > DigitsMax:
		return dst, ErrPrecision
	}
	return appendEncoded(dst, neg, exp, pairs), nil
}
