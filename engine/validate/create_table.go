package validate

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// Limits of tables (wire-facts §9).
const (
	localIndexesMax = 5
	// GlobalIndexesMax bounds the global indexes of a table.
	GlobalIndexesMax = 20
	keyPartsMax      = 4 // HASH or RANGE attributes of a global index's key
	// NonKeyAttributesMax bounds the NonKeyAttributes of all indexes of a table.
	NonKeyAttributesMax = 100
	// unitsMax bounds throughput: beyond it the numbers are taken for a mistake.
	unitsMax = 1_000_000_000_000
	// warmReadOnDemand and warmWriteOnDemand are what an on-demand table can do from the start, in
	// units a second.
	warmReadOnDemand  = 12_000
	warmWriteOnDemand = 4_000
)

// Names of throughput members in texts.
const (
	memberReadUnits  = "ReadCapacityUnits"
	memberWriteUnits = "WriteCapacityUnits"
)

// CreateTable makes the checks of wire-facts §6.1: all of them are static.
func CreateTable(in *api.CreateTableInput, _ Options) error {
	if err := controlTable(in.TableName); err != nil {
		return err
	}
	if in.GlobalTableSourceArn.Set {
		return fromSource(in)
	}
	if err := Constraints(opCreateTable, in); err != nil {
		return err
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	if m := in.GlobalTableSettingsReplicationMode; m.Value == api.GlobalTableSettingsReplicationModeEnabledWithOverrides {
		return invalid(api.MsgSettingsMode, m.Value)
	}
	if err := newTable(in); err != nil {
		return err
	}
	return tagsOf(in.Tags)
}

// newTable makes the checks of a table's definition.
func newTable(in *api.CreateTableInput) error {
	c := &creation{in: in, onDemand: in.BillingMode.Value == api.BillingModePayPerRequest}
	for _, d := range in.AttributeDefinitions {
		c.defined = append(c.defined, d.AttributeName.Value)
	}
	steps := []func() error{
		c.units, c.maxima, c.tableKey, c.localIndexes, c.globalIndexes, c.vectorIndexes, c.definitions, c.stream, c.warm, c.sse,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// fromSource makes the checks of a replica of another account's table, whose settings it has.
func fromSource(in *api.CreateTableInput) error {
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	for _, p := range []param{
		{"AttributeDefinitions", in.AttributeDefinitions != nil}, {"KeySchema", in.KeySchema != nil},
		{"LocalSecondaryIndexes", in.LocalSecondaryIndexes != nil}, {"GlobalSecondaryIndexes", in.GlobalSecondaryIndexes != nil},
		{"VectorIndexes", in.VectorIndexes != nil}, {"BillingMode", in.BillingMode.Set},
		{"ProvisionedThroughput", in.ProvisionedThroughput != nil}, {"OnDemandThroughput", in.OnDemandThroughput != nil},
		{"WarmThroughput", in.WarmThroughput != nil}, {"StreamSpecification", in.StreamSpecification != nil},
		{"SSESpecification", in.SSESpecification != nil}, {"TableClass", in.TableClass.Set},
	} {
		if p.set {
			return invalid(api.MsgSourceSettings, p.name)
		}
	}
	if in.GlobalTableSettingsReplicationMode.Value != api.GlobalTableSettingsReplicationModeEnabled {
		return invalid(api.MsgSourceMode)
	}
	return tagsOf(in.Tags)
}

// creation is a CreateTable request while it is checked.
type creation struct {
	in       *api.CreateTableInput
	onDemand bool
	defined  []string // names of AttributeDefinitions in order
	indexes  []string // names of the indexes checked so far
	nonKey   int      // NonKeyAttributes so far
}

// units makes the checks #4 to #6.
func (c *creation) units() error {
	p := c.in.ProvisionedThroughput
	switch {
	case c.onDemand && p != nil:
		return invalid(api.MsgUnitsOnDemand)
	case !c.onDemand && (p == nil || p.ReadCapacityUnits.Value == 0 || p.WriteCapacityUnits.Value == 0):
		return invalid(api.MsgUnitsAbsent)
	}
	if err := unitsInRange(p); err != nil {
		return err
	}
	for i := range c.in.GlobalSecondaryIndexes {
		ix := &c.in.GlobalSecondaryIndexes[i]
		if err := unitsInRangeIndex(ix.ProvisionedThroughput, ix.IndexName.Value); err != nil {
			return err
		}
	}
	return nil
}

func unitsInRange(p *api.ProvisionedThroughput) error {
	switch {
	case p == nil:
		return nil
	case p.ReadCapacityUnits.Value > unitsMax:
		return invalid(api.MsgUnitsRange, p.ReadCapacityUnits.Value, memberReadUnits)
	case p.WriteCapacityUnits.Value > unitsMax:
		return invalid(api.MsgUnitsRange, p.WriteCapacityUnits.Value, memberWriteUnits)
	}
	return nil
}

func unitsInRangeIndex(p *api.ProvisionedThroughput, index string) error {
	switch {
	case p == nil:
		return nil
	case p.ReadCapacityUnits.Value > unitsMax:
		return invalid(api.MsgUnitsRangeIndex, p.ReadCapacityUnits.Value, memberReadUnits, index)
	case p.WriteCapacityUnits.Value > unitsMax:
		return invalid(api.MsgUnitsRangeIndex, p.WriteCapacityUnits.Value, memberWriteUnits, index)
	}
	return nil
}

// tableKey makes the checks #7 to #12.
func (c *creation) tableKey() error {
	key := c.in.KeySchema
	if len(key) > len(c.defined) {
		return invalid(api.MsgKeyUndefined)
	}
	if err := c.plainKey(key); err != nil {
		return err
	}
	noIndexes := c.in.LocalSecondaryIndexes == nil && c.in.GlobalSecondaryIndexes == nil && c.in.VectorIndexes == nil
	// That it comes before the count is known from scylladb/scylladb issue 13870, which quotes the service.
	if name, twice := repeated(c.defined); twice {
		return invalid(api.MsgDefinitionsDuplicate, name)
	}
	if noIndexes && len(key) != len(c.defined) {
		return invalid(api.MsgDefinitionsCount)
	}
	return nil
}

// plainKey makes the checks #8 to #11 of the key of a table or local index.
func (c *creation) plainKey(key []api.KeySchemaElement) error {
	if err := keyDefined(key, c.defined); err != nil {
		return err
	}
	switch {
	case len(key) > 1 && key[0].AttributeName.Value == key[1].AttributeName.Value:
		return invalid(api.MsgKeySameName)
	case key[0].KeyType.Value != api.KeyTypeHash:
		return invalid(api.MsgKeyFirst)
	case len(key) > 1 && key[1].KeyType.Value != api.KeyTypeRange:
		return invalid(api.MsgKeySecond)
	}
	return nil
}

func keyDefined(key []api.KeySchemaElement, defined []string) error {
	for _, k := range key {
		if !slices.Contains(defined, k.AttributeName.Value) {
			return invalid(api.MsgKeysUndefined, list(keyNames(key)), list(defined))
		}
	}
	return nil
}

func keyNames(key []api.KeySchemaElement) []string {
	names := make([]string, len(key))
	for i, k := range key {
		names[i] = k.AttributeName.Value
	}
	return names
}

func list(names []string) string { return strings.Join(names, ", ") }

// localIndexes makes the checks #13 to #22.
func (c *creation) localIndexes() error {
	all := c.in.LocalSecondaryIndexes
	switch {
	case all == nil:
		return nil
	case len(all) == 0:
		return invalid(api.MsgLSIEmpty)
	case len(c.in.KeySchema) < 2:
		return invalid(api.MsgLSITableRange)
	}
	hash := c.in.KeySchema[0].AttributeName.Value
	for i := range all {
		ix := &all[i]
		name := ix.IndexName.Value
		if err := c.plainKey(ix.KeySchema); err != nil {
			return err
		}
		if len(ix.KeySchema) < 2 {
			return invalid(api.MsgLSIRange, name)
		}
		if own := ix.KeySchema[0].AttributeName.Value; own != hash {
			return invalid(api.MsgLSIHash, name, own, hash)
		}
		if err := c.projection(ix.Projection); err != nil {
			return err
		}
		if err := c.newIndex(name); err != nil {
			return err
		}
	}
	if len(all) > localIndexesMax {
		return invalid(api.MsgLSICount)
	}
	return nil
}

// projection makes the checks #18 to #20.
func (c *creation) projection(p *api.Projection) error {
	if !p.ProjectionType.Set {
		return invalid(api.MsgProjectionAbsent)
	}
	include := p.ProjectionType.Value == api.ProjectionTypeInclude
	switch {
	case !include && p.NonKeyAttributes != nil:
		return invalid(api.MsgProjectionExtra, p.ProjectionType.Value)
	case include && p.NonKeyAttributes == nil:
		return invalid(api.MsgProjectionEmpty)
	}
	c.nonKey += len(p.NonKeyAttributes)
	if name, twice := repeated(p.NonKeyAttributes); twice {
		return invalid(api.MsgProjectionDuplicate, name)
	}
	return nil
}

// newIndex makes check #21, over local and global indexes together.
func (c *creation) newIndex(name string) error {
	if slices.Contains(c.indexes, name) {
		return invalid(api.MsgIndexDuplicate, name)
	}
	c.indexes = append(c.indexes, name)
	return nil
}

// globalIndexes makes the checks #23 to #26.
func (c *creation) globalIndexes() error {
	all := c.in.GlobalSecondaryIndexes
	if all != nil && len(all) == 0 {
		return invalid(api.MsgGSIEmpty)
	}
	for i := range all {
		ix := &all[i]
		name := ix.IndexName.Value
		if err := globalKey(ix.KeySchema, c.defined); err != nil {
			return err
		}
		if err := c.projection(ix.Projection); err != nil {
			return err
		}
		if err := c.newIndex(name); err != nil {
			return err
		}
		switch {
		case c.onDemand && ix.ProvisionedThroughput != nil:
			return invalid(api.MsgGSIUnitsOnDemand, name)
		case !c.onDemand && ix.ProvisionedThroughput == nil:
			return invalid(api.MsgGSIUnitsAbsent, name)
		}
	}
	if len(all) > GlobalIndexesMax {
		return invalid(api.MsgGSICount)
	}
	return nil
}

// globalKey checks the key of a global index: up to four HASH attributes, then up to four RANGE
// attributes (wire-facts §6.1.1).
func globalKey(key []api.KeySchemaElement, defined []string) error {
	if err := keyDefined(key, defined); err != nil {
		return err
	}
	if _, twice := repeated(keyNames(key)); twice {
		return invalid(api.MsgKeySameName)
	}
	if key[0].KeyType.Value != api.KeyTypeHash {
		return invalid(api.MsgKeyFirst)
	}
	hash, sort := 0, 0
	for _, k := range key {
		switch {
		case k.KeyType.Value == api.KeyTypeRange:
			sort++
		case sort > 0:
			return invalid(api.MsgKeyOrder)
		default:
			hash++
		}
	}
	switch {
	case hash > keyPartsMax:
		return invalid(api.MsgKeyParts, api.KeyTypeHash)
	case sort > keyPartsMax:
		return invalid(api.MsgKeyParts, api.KeyTypeRange)
	}
	return nil
}

// repeated returns the first name that comes twice.
func repeated(names []string) (string, bool) {
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return n, true
		}
	}
	return "", false
}

// definitions makes the checks #27 and #28; their relative place is not known.
func (c *creation) definitions() error {
	used := keyNames(c.in.KeySchema)
	use := func(key []api.KeySchemaElement) {
		for _, n := range keyNames(key) {
			if !slices.Contains(used, n) {
				used = append(used, n)
			}
		}
	}
	for i := range c.in.LocalSecondaryIndexes {
		use(c.in.LocalSecondaryIndexes[i].KeySchema)
	}
	for i := range c.in.GlobalSecondaryIndexes {
		use(c.in.GlobalSecondaryIndexes[i].KeySchema)
	}
	for i := range c.in.VectorIndexes {
		for _, e := range c.in.VectorIndexes[i].SearchSchema {
			if name := e.AttributeName.Value; !slices.Contains(used, name) {
				used = append(used, name)
			}
		}
	}
	if c.nonKey > NonKeyAttributesMax {
		return invalid(api.MsgProjectionCount)
	}
	for _, d := range c.defined {
		if !slices.Contains(used, d) {
			return invalid(api.MsgDefinitionsUnused, list(c.defined), list(used))
		}
	}
	return nil
}

func (c *creation) stream() error {
	return streamSetting(c.in.StreamSpecification, api.MsgCreateStreamView, api.MsgCreateStreamViewOff)
}

func (c *creation) sse() error { return sseSetting(c.in.SSESpecification) }

// streamSetting makes the checks #29 and #30; absent and off are the texts.
func streamSetting(s *api.StreamSpecification, absent, off string) error {
	switch {
	case s == nil:
		return nil
	case s.StreamEnabled.Value && !s.StreamViewType.Set:
		return api.Errorf(api.Validation, "%s", absent)
	case !s.StreamEnabled.Value && s.StreamViewType.Set:
		return api.Errorf(api.Validation, "%s", off)
	}
	return nil
}

// warm makes check #31 for the table and its global indexes.
func (c *creation) warm() error {
	in := c.in
	err := c.warmUnits(in.WarmThroughput, in.ProvisionedThroughput, "table")
	for i := range in.GlobalSecondaryIndexes {
		if err == nil {
			ix := &in.GlobalSecondaryIndexes[i]
			err = c.warmUnits(ix.WarmThroughput, ix.ProvisionedThroughput, "index "+ix.IndexName.Value)
		}
	}
	return err
}

func (c *creation) warmUnits(w *api.WarmThroughput, p *api.ProvisionedThroughput, of string) error {
	if w == nil {
		return nil
	}
	read, write := int64(warmReadOnDemand), int64(warmWriteOnDemand)
	msgRead, msgWrite := api.MsgWarmReadOnDemand, api.MsgWarmWriteOnDemand
	if !c.onDemand {
		read, write = p.ReadCapacityUnits.Value, p.WriteCapacityUnits.Value
		msgRead, msgWrite = api.MsgWarmRead, api.MsgWarmWrite
	}
	switch {
	case w.ReadUnitsPerSecond.Set && w.ReadUnitsPerSecond.Value < read:
		return invalid(msgRead, of)
	case w.WriteUnitsPerSecond.Set && w.WriteUnitsPerSecond.Value < write:
		return invalid(msgWrite, of)
	}
	return nil
}
