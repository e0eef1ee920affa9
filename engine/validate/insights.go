package validate

import "github.com/keystone-db/kstone/engine/api"

// UpdateContributorInsights makes the static checks of wire-facts §6.22.
func UpdateContributorInsights(in *api.UpdateContributorInsightsInput) error {
	return control(opUpdateInsights, in.TableName, in)
}

// DescribeContributorInsights makes the static checks of wire-facts §6.22.
func DescribeContributorInsights(in *api.DescribeContributorInsightsInput) error {
	return control(opDescribeInsights, in.TableName, in)
}

// ListContributorInsights makes the static checks of wire-facts §6.22.
func ListContributorInsights(in *api.ListContributorInsightsInput) error {
	if err := Constraints(opListInsights, in); err != nil || !in.TableName.Set {
		return err
	}
	return tableForm(in.TableName.Value)
}
