package partiql

import "github.com/keystone-db/kstone/engine/attr"

// Node is an element of a parsed statement. The set of nodes is sealed and a tree is immutable, so
// that it may be shared between goroutines.
type Node interface {
	// Pos is the byte offset in the statement.
	Pos() int
	sealed()
}

// At is the position of a node in the text; nodes embed it.
type At int

// Pos returns the byte offset in the statement.
func (a At) Pos() int { return int(a) }

func (At) sealed() {}

// Statement is a whole statement: *Select, *Insert, *Update, *Delete or *Exists.
type Statement interface {
	Node
	// String prints the statement as text that parses into an equal tree.
	String() string
	// Source is the table, or the index of one, that the statement names.
	Source() *Source
}

// Source names a table, or with Index one of its indexes.
type Source struct {
	At
	Table string
	Index string // empty for the table itself
}

// Select is SELECT … FROM ….
type Select struct {
	At
	// Paths is what is selected; nil stands for "*".
	Paths []*Path
	From  Source
	Where Expr // nil when there is none
	Order []Order
}

// Order is one term of ORDER BY.
type Order struct {
	At
	Name string
	Desc bool
}

// Insert is INSERT INTO … VALUE ….
type Insert struct {
	At
	Into  Source
	Value Expr
}

// Update is UPDATE … SET … REMOVE … WHERE …, or the same with the table in front (FROM … WHERE …
// SET …).
type Update struct {
	At
	Table     Source
	Actions   []*Action
	Where     Expr
	Returning *Returning // nil when there is none
}

// Action is one assignment or removal of an update.
type Action struct {
	At
	Path  *Path
	Value Expr // nil for REMOVE
}

// Delete is DELETE FROM … WHERE ….
type Delete struct {
	At
	From      Source
	Where     Expr
	Returning *Returning
}

// Exists is EXISTS(SELECT …), a condition check of a transaction.
type Exists struct {
	At
	Query *Select
}

// Returning is RETURNING (ALL|MODIFIED) (OLD|NEW) *.
type Returning struct {
	At
	Modified, New bool
}

// Source returns the table of the statement.
func (s *Select) Source() *Source { return &s.From }

// Source returns the table of the statement.
func (s *Insert) Source() *Source { return &s.Into }

// Source returns the table of the statement.
func (s *Update) Source() *Source { return &s.Table }

// Source returns the table of the statement.
func (s *Delete) Source() *Source { return &s.From }

// Source returns the table of the statement.
func (s *Exists) Source() *Source { return &s.Query.From }

// Expr is a condition or a value.
type Expr interface {
	Node
	expr()
}

// Op is an operator.
type Op uint8

// The operators.
const (
	OpEq Op = iota + 1
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpAnd
	OpOr
	OpPlus
	OpMinus

	opCount = iota + 1
)

var opNames = [opCount]string{
	OpEq: "=", OpNe: "<>", OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=",
	OpAnd: "AND", OpOr: "OR", OpPlus: "+", OpMinus: "-",
}

// String returns the operator as it is written.
func (o Op) String() string { return opNames[o] }

// Literal is a string, number, boolean or null.
type Literal struct {
	At
	Value attr.Value
}

// Param is a question mark, counted from 0.
type Param struct {
	At
	N int
}

// List is [a, b]; in parentheses only as the list of IN.
type List struct {
	At
	Elems []Expr
}

// Bag is <<a, b>>: a set.
type Bag struct {
	At
	Elems []Expr
}

// Tuple is {'k': v}.
type Tuple struct {
	At
	Fields []Field
}

// Field is one entry of a Tuple.
type Field struct {
	At
	Name  string
	Value Expr
}

// Path is a document path; it begins with a name.
type Path struct {
	At
	Steps []Step
}

// Step is one element of a path: a name or a list index.
type Step struct {
	Name    string
	Index   int
	IsIndex bool
	At      int // byte offset in the statement
}

// Call is a function; Name is in lower case.
type Call struct {
	At
	Name string
	Args []Expr
}

// Binary is Left Op Right with a comparison or an arithmetic operator.
type Binary struct {
	At
	Op          Op
	Left, Right Expr
}

// Logic is at least two Terms joined by OpAnd or OpOr.
type Logic struct {
	At
	Op    Op
	Terms []Expr
}

// Not negates X.
type Not struct {
	At
	X Expr
}

// Between is X BETWEEN Lo AND Hi.
type Between struct {
	At
	X, Lo, Hi Expr
}

// In is X IN List, where List is a *List or a *Param.
type In struct {
	At
	X, List Expr
}

// Is is X IS Type; Type is in upper case.
type Is struct {
	At
	X    Expr
	Type string
}

func (*Literal) expr() {}
func (*Param) expr()   {}
func (*List) expr()    {}
func (*Bag) expr()     {}
func (*Tuple) expr()   {}
func (*Path) expr()    {}
func (*Call) expr()    {}
func (*Binary) expr()  {}
func (*Logic) expr()   {}
func (*Not) expr()     {}
func (*Between) expr() {}
func (*In) expr()      {}
func (*Is) expr()      {}
