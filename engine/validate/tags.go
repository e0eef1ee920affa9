package validate

import (
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// TagsMax is how many tags a resource can have.
const TagsMax = 50

// tagReserved is how the provider's own tag keys begin.
const tagReserved = "aws:"

// Form of a user's ARN in the text of a refusal.
const (
	userPrefix = "arn:aws:iam::"
	userSuffix = ":root"
)

// TagResource makes the static checks of wire-facts §6.17.
func TagResource(in *api.TagResourceInput, opt Options) error {
	if err := resourceARN(opTagResource, in.ResourceArn, opt); err != nil {
		return err
	}
	if err := Constraints(opTagResource, in); err != nil {
		return err
	}
	if err := tableARN(in.ResourceArn.Value); err != nil {
		return err
	}
	if len(in.Tags) == 0 {
		return invalid(api.MsgTagsEmpty)
	}
	return tagsOf(in.Tags)
}

// UntagResource makes the static checks of wire-facts §6.17.
func UntagResource(in *api.UntagResourceInput, opt Options) error {
	if err := resourceARN(opUntagResource, in.ResourceArn, opt); err != nil {
		return err
	}
	if err := Constraints(opUntagResource, in); err != nil {
		return err
	}
	if err := tableARN(in.ResourceArn.Value); err != nil {
		return err
	}
	if len(in.TagKeys) == 0 {
		return invalid(api.MsgTagKeysEmpty)
	}
	return nil
}

// ListTagsOfResource makes the static checks of wire-facts §6.17.
func ListTagsOfResource(in *api.ListTagsOfResourceInput, opt Options) error {
	if err := resourceARN(opListTags, in.ResourceArn, opt); err != nil {
		return err
	}
	if err := Constraints(opListTags, in); err != nil {
		return err
	}
	return tableARN(in.ResourceArn.Value)
}

// resourceARN refuses what is no ARN at all before anything else: DynamoDB does this as a lack of
// permission. TestTags.
func resourceARN(operation string, arn api.Opt[string], opt Options) error {
	if !arn.Set {
		return invalid(api.MsgTagArnAbsent)
	}
	parts := strings.SplitN(arn.Value, ":", arnParts)
	if len(parts) < arnParts || !strings.Contains(parts[arnParts-1], "/") {
		return api.Errorf(api.AccessDenied, api.MsgTagArnDenied,
			userPrefix+opt.Account+userSuffix, operation, arn.Value)
	}
	return nil
}

// tableARN refuses ARNs of anything but a table.
func tableARN(arn string) error {
	name, ok := arnResource(arn)
	if !ok || len(name) < nameLengthMin || len(name) > nameLengthMax || !nameChars(name) {
		return invalid(api.MsgTagArnInvalid, arn)
	}
	return nil
}

// tagsOf checks the tags themselves.
func tagsOf(tags []api.Tag) error {
	if len(tags) > TagsMax {
		return invalid(api.MsgTagCount)
	}
	for i := range tags {
		key := tags[i].Key.Value
		if strings.HasPrefix(key, tagReserved) {
			return invalid(api.MsgTagReserved, key)
		}
		for j := range i {
			if tags[j].Key.Value == key {
				return invalid(api.MsgTagDuplicate, key)
			}
		}
	}
	return nil
}
