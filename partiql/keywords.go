package partiql

import (
	"strings"
	"sync"
)

// reserved tells whether a bare word cannot be a name: it is a keyword of SQL-92 or of PartiQL, and
// needs double quotes. That the service takes the list of SQL-92 is unsure; reports show "Unexpected
// keyword" for KEY, ORDER and the like.
func reserved(word string) bool { return reservedWords()[strings.ToLower(word)] }

// reservedWords is made at the first statement, not at the start of the program.
var reservedWords = sync.OnceValue(func() map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(reservedList) {
		set[w] = true
	}
	return set
})

const reservedList = `
absolute action add all allocate alter and any are as asc assertion at authorization begin between
bit bit_length both by cascade cascaded case cast catalog char character check close coalesce
collate collation column commit connect connection constraint constraints continue convert
corresponding create cross current cursor date deallocate dec decimal declare default deferrable
deferred delete desc describe descriptor diagnostics disconnect distinct domain double drop else end
escape except exception exec execute exists external extract false fetch first float for foreign
found from full get global go goto grant group having identity immediate in indicator initially
inner input insensitive insert int integer intersect interval into is isolation join key language
last leading left level like local lower match module month names national natural nchar next no not
null nullif numeric octet_length of on only open option or order outer output overlaps pad partial
position precision prepare preserve primary prior privileges procedure public read real references
relative restrict revoke right rollback rows schema scroll section select session set smallint some
space sql sqlcode sqlerror sqlstate substring table temporary then time timestamp to trailing
transaction translate translation trim true union unique unknown update upper usage user using value
values varchar varying view when whenever where with work write zone
missing pivot unpivot limit tuple remove index bag list struct let offset explain`

// function describes one of the functions.
type function struct {
	args      int
	condition bool // gives true or false; the others give a value
	set       bool // only on the right side of SET
}

// functions by their names in lower case.
var functions = map[string]function{
	fnBeginsWith:    {args: 2, condition: true},
	fnContains:      {args: 2, condition: true},
	fnAttributeType: {args: 2, condition: true},
	fnSize:          {args: 1},
	fnListAppend:    {args: 2, set: true},
	fnSetAdd:        {args: 2, set: true},
	fnSetDelete:     {args: 2, set: true},
}

// Names of the functions.
const (
	fnBeginsWith    = "begins_with"
	fnContains      = "contains"
	fnAttributeType = "attribute_type"
	fnSize          = "size"
	fnListAppend    = "list_append"
	fnSetAdd        = "set_add"
	fnSetDelete     = "set_delete"
)

// typeMissing is the type that IS takes for an attribute that is not there.
const typeMissing = "MISSING"

// typeNames has the names that IS takes, and the type that attribute_type would ask for. That more
// than MISSING and NULL are taken, and how they are spelled, is unsure.
var typeNames = map[string]string{
	typeMissing: "", "NULL": "NULL",
	"STRING": "S", "NUMBER": "N", "BINARY": "B", "BOOLEAN": "BOOL", "BOOL": "BOOL", "LIST": "L",
	"MAP": "M", "STRUCT": "M", "TUPLE": "M", "INT": "N", "INTEGER": "N", "DECIMAL": "N", "NUMERIC": "N",
	"FLOAT": "N", "STRING_SET": "SS", "NUMBER_SET": "NS", "BINARY_SET": "BS",
	"S": "S", "N": "N", "B": "B", "L": "L", "M": "M", "SS": "SS", "NS": "NS", "BS": "BS",
}
