package validate

import "github.com/keystone-db/kstone/engine/api"

// Names of on-demand maxima in texts.
const (
	memberMaxRead  = "MaxReadRequestUnits"
	memberMaxWrite = "MaxWriteRequestUnits"
)

// sseSetting checks an SSESpecification. Without Enabled it asks for a key when it names a kind of key.
func sseSetting(s *api.SSESpecification) error {
	if s == nil {
		return nil
	}
	off := s.Enabled.Set && !s.Enabled.Value
	switch {
	case off && s.SSEType.Set:
		return invalid(api.MsgSSETypeOff)
	case off && s.KMSMasterKeyId.Set:
		return invalid(api.MsgSSEKeyOff)
	case s.SSEType.Value == api.SSETypeAES256:
		return invalid(api.MsgSSEType, s.SSEType.Value)
	case s.KMSMasterKeyId.Set && !s.SSEType.Set:
		return invalid(api.MsgSSEKeyType)
	}
	return nil
}

// maxima makes the checks of the on-demand maxima of a table and its global indexes that CreateTable makes.
func (c *creation) maxima() error {
	err := c.maximum(c.in.OnDemandThroughput, "table", api.MsgMaximumProvisioned)
	for i := range c.in.GlobalSecondaryIndexes {
		if err == nil {
			ix := &c.in.GlobalSecondaryIndexes[i]
			err = c.maximum(ix.OnDemandThroughput, "index : "+ix.IndexName.Value, api.MsgMaximumProvisionedIndex)
		}
	}
	return err
}

// maximum checks one pair; of is the text's word for what it belongs to.
func (c *creation) maximum(o *api.OnDemandThroughput, of, msgProvisioned string) error {
	return eachMaximum(o, func(member string, units int64) error {
		switch {
		case !c.onDemand && of == "table":
			return invalid(msgProvisioned, member)
		case !c.onDemand:
			return invalid(msgProvisioned, member, of[len("index : "):])
		case units < 1:
			return invalid(api.MsgMaximumRange, member, of)
		}
		return nil
	})
}

// eachMaximum calls f for the members that are there.
func eachMaximum(o *api.OnDemandThroughput, f func(member string, units int64) error) error {
	if o == nil {
		return nil
	}
	if m := o.MaxReadRequestUnits; m.Set {
		if err := f(memberMaxRead, m.Value); err != nil {
			return err
		}
	}
	if m := o.MaxWriteRequestUnits; m.Set {
		return f(memberMaxWrite, m.Value)
	}
	return nil
}

// updatedMaxima checks the maxima of an UpdateTable: -1 takes one away.
func updatedMaxima(in *api.UpdateTableInput) error {
	check := func(o *api.OnDemandThroughput, of string) error {
		return eachMaximum(o, func(member string, units int64) error {
			if units < 1 && units != -1 {
				return invalid(api.MsgMaximumRange, member, of)
			}
			return nil
		})
	}
	err := check(in.OnDemandThroughput, "table")
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		switch {
		case err != nil:
		case u.Update != nil:
			err = check(u.Update.OnDemandThroughput, "index : "+u.Update.IndexName.Value)
		case u.Create != nil:
			err = check(u.Create.OnDemandThroughput, "index : "+u.Create.IndexName.Value)
		}
	}
	return err
}

// oneChange refuses an UpdateTable that changes what may only be changed by itself: DynamoDB does this
// (TestOneChange). Several such members are told of in this order.
func oneChange(in *api.UpdateTableInput) error {
	indexes := len(in.GlobalSecondaryIndexUpdates)+len(in.VectorIndexUpdates) > 0
	present := []bool{
		in.SSESpecification != nil, in.TableClass.Set, in.DeletionProtectionEnabled.Set, in.WarmThroughput != nil,
		in.OnDemandThroughput != nil, in.StreamSpecification != nil, in.ProvisionedThroughput != nil, in.BillingMode.Set,
		indexes, in.ReplicaUpdates != nil,
	}
	changes := 0
	for _, p := range present {
		if p {
			changes++
		}
	}
	if changes < 2 { //nolint:mnd // two are one too many
		return nil
	}
	alone := []string{
		"Server-Side Encryption modification", "TableClass modification", "DeletionProtection modification", "WarmThroughput",
	}
	for i, what := range alone {
		if present[i] {
			return invalid(api.MsgOnlyOperation, what)
		}
	}
	units := in.ProvisionedThroughput != nil || in.BillingMode.Value == api.BillingModeProvisioned
	switch {
	case in.OnDemandThroughput != nil && (changes > 2 || !in.BillingMode.Set): //nolint:mnd // itself and the mode
		return invalid(api.MsgOnlyMaximum)
	case in.StreamSpecification != nil && units:
		return invalid(api.MsgStreamWithUnits)
	}
	return nil
}
