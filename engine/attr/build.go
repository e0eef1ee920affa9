package attr

// Builder makes an item attribute by attribute, for people and tests. Errors
// are kept until Build; the last value of a name stays.
type Builder struct {
	enc Encoder
	err error
}

// NewItem begins an item.
func NewItem() *Builder {
	b := &Builder{}
	b.enc.BeginItem()
	return b
}

// Value adds an attribute of any value.
func (b *Builder) Value(name string, v Value) *Builder {
	switch {
	case b.err != nil:
	case name == "":
		b.err = &ValueError{Kind: NameEmpty}
	case len(name) > NameMaxBytes:
		b.err = &ValueError{Kind: NameTooLong}
	case len(v) == 0:
		b.err = &ValueError{Kind: Empty}
	default:
		b.enc.Name([]byte(name))
		b.enc.Value(v)
	}
	return b
}

func (b *Builder) checked(name string, v Value, err error) *Builder {
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return b
	}
	return b.Value(name, v)
}

// S adds a string.
func (b *Builder) S(name, s string) *Builder { return b.Value(name, String(s)) }

// N adds a number from its text.
func (b *Builder) N(name, text string) *Builder {
	v, err := Number(text)
	return b.checked(name, v, err)
}

// Int adds a number.
func (b *Builder) Int(name string, v int64) *Builder { return b.Value(name, Int(v)) }

// B adds a binary.
func (b *Builder) B(name string, p []byte) *Builder { return b.Value(name, Binary(p)) }

// Bool adds a boolean.
func (b *Builder) Bool(name string, v bool) *Builder { return b.Value(name, Bool(v)) }

// Null adds a NULL.
func (b *Builder) Null(name string) *Builder { return b.Value(name, Null()) }

// L adds a list.
func (b *Builder) L(name string, values ...Value) *Builder {
	return b.Value(name, List(values...))
}

// M adds a map.
func (b *Builder) M(name string, m Item) *Builder { return b.Value(name, Map(m)) }

// SS adds a string set.
func (b *Builder) SS(name string, members ...string) *Builder {
	v, err := StringSet(members...)
	return b.checked(name, v, err)
}

// NS adds a number set from texts.
func (b *Builder) NS(name string, texts ...string) *Builder {
	v, err := NumberSet(texts...)
	return b.checked(name, v, err)
}

// BS adds a binary set.
func (b *Builder) BS(name string, members ...[]byte) *Builder {
	v, err := BinarySet(members...)
	return b.checked(name, v, err)
}

// Vec adds a vector.
func (b *Builder) Vec(name string, vec ...float32) *Builder {
	v, err := Vector(vec)
	return b.checked(name, v, err)
}

// Ts adds a time in milliseconds since 1970.
func (b *Builder) Ts(name string, ms int64) *Builder { return b.Value(name, Timestamp(ms)) }

// Build gives the item, or the first error (a *ValueError for all but bad
// vectors). The Builder must not be used afterwards.
func (b *Builder) Build() (Item, error) {
	it := b.enc.EndItem()
	if b.err != nil {
		return nil, b.err
	}
	if ItemDepth(it) > DepthMax {
		return nil, &ValueError{Kind: TooDeep}
	}
	return it, nil
}
