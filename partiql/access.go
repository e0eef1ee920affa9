package partiql

// The rights that statements need, as the service's policies name them. EXISTS and EXPLAIN only
// read.
const (
	accessSelect = "PartiQLSelect"
	accessInsert = "PartiQLInsert"
	accessUpdate = "PartiQLUpdate"
	accessDelete = "PartiQLDelete"
)

// Access tells which table a statement names and which right it needs there; false when it does not
// parse, and so will not be run.
func Access(text string) (table, right string, ok bool) {
	p, err := Parse(text)
	if err != nil {
		return "", "", false
	}
	right = accessSelect
	if !p.Explain {
		switch p.Statement.(type) {
		case *Insert:
			right = accessInsert
		case *Update:
			right = accessUpdate
		case *Delete:
			right = accessDelete
		}
	}
	return p.Statement.Source().Table, right, true
}
