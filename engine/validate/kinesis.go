package validate

import "github.com/keystone-db/kstone/engine/api"

// EnableKinesis makes the static checks of wire-facts §6.21.
func EnableKinesis(in *api.EnableKinesisStreamingDestinationInput, _ Options) error {
	return control(opEnableKinesis, in.TableName, in)
}

// DisableKinesis makes the static checks of wire-facts §6.21.
func DisableKinesis(in *api.DisableKinesisStreamingDestinationInput, _ Options) error {
	if err := control(opDisableKinesis, in.TableName, in); err != nil {
		return err
	}
	if c := in.EnableKinesisStreamingConfiguration; c != nil && c.ApproximateCreationDateTimePrecision.Set {
		return invalid(api.MsgKinesisDisableConfig)
	}
	return nil
}

// DescribeKinesis makes the static checks of wire-facts §6.21.
func DescribeKinesis(in *api.DescribeKinesisStreamingDestinationInput, _ Options) error {
	return control(opDescribeKinesis, in.TableName, in)
}

// UpdateKinesis makes the static checks of wire-facts §6.21.
func UpdateKinesis(in *api.UpdateKinesisStreamingDestinationInput, _ Options) error {
	if err := control(opUpdateKinesis, in.TableName, in); err != nil {
		return err
	}
	if c := in.UpdateKinesisStreamingConfiguration; c == nil || !c.ApproximateCreationDateTimePrecision.Set {
		return invalid(api.MsgKinesisUpdateEmpty)
	}
	return nil
}
