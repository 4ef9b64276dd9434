package aws

import "strings"

// partitions are the prefixes of region names by which AWS tells its partitions apart (the SDK's
// internal/endpoints/awsrulesfn/partitions.json, regionRegex). What has none of them is in aws.
var partitions = []struct{ prefix, name string }{
	{"cn-", "aws-cn"},
	{"eusc-", "aws-eusc"},
	{"us-iso-", "aws-iso"},
	{"us-isob-", "aws-iso-b"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-isof-", "aws-iso-f"},
	{"us-gov-", "aws-us-gov"},
}

// partitionOf returns the name of a region's partition, as ARNs begin with it.
func partitionOf(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return "aws"
}
