package vector

// near is a node and its distance from what is searched for.
type near struct {
	dist float32
	id   uint32
}

// less orders by distance; nodes at the same one by number, so that a search does not depend on chance.
func (a near) less(b near) bool { return a.dist < b.dist || a.dist == b.dist && a.id < b.id }

// nearest is a heap whose first is the nearest.
type nearest []near

func (h *nearest) push(n near) {
	s := append(*h, n)
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !n.less(s[up]) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = n
	*h = s
}

func (h *nearest) pop() near {
	s := *h
	first, n := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return first
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(s) {
			break
		}
		if down+1 < len(s) && s[down+1].less(s[down]) {
			down++
		}
		if !s[down].less(n) {
			break
		}
		s[i] = s[down]
		i = down
	}
	s[i] = n
	return first
}

// farthest is a heap whose first is the farthest: the best so many are kept by replacing it.
type farthest []near

func (h *farthest) push(n near) {
	s := append(*h, n)
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !s[up].less(n) {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = n
	*h = s
}

// replace takes the farthest out and n in.
func (h farthest) replace(n near) {
	i := 0
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down].less(h[down+1]) {
			down++
		}
		if !n.less(h[down]) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = n
}

// offer takes n in while there are fewer than limit, or if it is nearer than the farthest.
func (h *farthest) offer(n near, limit int) {
	switch {
	case len(*h) < limit:
		h.push(n)
	case n.less((*h)[0]):
		h.replace(n)
	}
}
