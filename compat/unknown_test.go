package compat

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The three forms in which an unknown table is reported (wire-facts §6, §6.17).
const (
	unknownToData    = "Requested resource not found"
	unknownToControl = "Requested resource not found: Table: no-such-table not found"
	unknownToTags    = "Requested resource not found: ResourcArn: " + unknownARN + " not found"

	unknownARN = "arn:aws:dynamodb:us-east-1:123456789012:table/no-such-table"
)

// TestUnknownTable: every operation that names a table says in its own form that there is none.
// Batches and transactions are in their own files.
func TestUnknownTable(t *testing.T) {
	ctx, table, arn := t.Context(), aws.String("no-such-table"), aws.String(unknownARN)
	key := item{"pk": str("a")}
	for name, tt := range map[string]struct {
		text string
		call func() error
	}{
		"PutItem": {unknownToData, func() error {
			_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: key})
			return err
		}},
		"UpdateItem": {unknownToData, func() error {
			_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: table, Key: key})
			return err
		}},
		"DeleteItem": {unknownToData, func() error {
			_, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: key})
			return err
		}},
		"Query": {unknownToData, func() error {
			_, err := db.Query(ctx, &dynamodb.QueryInput{
				TableName: table, KeyConditionExpression: aws.String("pk = :a"),
				ExpressionAttributeValues: item{":a": str("a")},
			})
			return err
		}},
		"Scan": {unknownToData, func() error {
			_, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: table})
			return err
		}},
		"UpdateTable": {unknownToControl, func() error {
			_, err := db.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: table, BillingMode: types.BillingModePayPerRequest})
			return err
		}},
		"DeleteTable": {unknownToControl, func() error {
			_, err := db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: table})
			return err
		}},
		"EnableKinesisStreamingDestination": {unknownToControl, func() error {
			_, err := db.EnableKinesisStreamingDestination(ctx, &dynamodb.EnableKinesisStreamingDestinationInput{TableName: table, StreamArn: aws.String(kinesisARN + "orders")})
			return err
		}},
		"DisableKinesisStreamingDestination": {unknownToControl, func() error {
			_, err := db.DisableKinesisStreamingDestination(ctx, &dynamodb.DisableKinesisStreamingDestinationInput{TableName: table, StreamArn: aws.String(kinesisARN + "orders")})
			return err
		}},
		"DescribeKinesisStreamingDestination": {unknownToControl, func() error {
			_, err := db.DescribeKinesisStreamingDestination(ctx, &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: table})
			return err
		}},
		"UpdateKinesisStreamingDestination": {unknownToControl, func() error {
			_, err := db.UpdateKinesisStreamingDestination(ctx, &dynamodb.UpdateKinesisStreamingDestinationInput{
				TableName: table, StreamArn: aws.String(kinesisARN + "orders"), UpdateKinesisStreamingConfiguration: &types.UpdateKinesisStreamingConfiguration{
					ApproximateCreationDateTimePrecision: types.ApproximateCreationDateTimePrecisionMicrosecond,
				},
			})
			return err
		}},
		"DescribeTimeToLive": {unknownToControl, func() error {
			_, err := db.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: table})
			return err
		}},
		"UpdateTimeToLive": {unknownToControl, func() error {
			_, err := db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
				TableName: table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("t"), Enabled: aws.Bool(true)},
			})
			return err
		}},
		"TagResource": {unknownToTags, func() error {
			_, err := db.TagResource(ctx, &dynamodb.TagResourceInput{
				ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
			})
			return err
		}},
		"UntagResource": {unknownToData, func() error {
			_, err := db.UntagResource(ctx, &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, tt.call(), notFound, tt.text) })
	}
	// The operations on backups have an error of their own (wire-facts §6.18).
	for name, call := range map[string]func() error{
		"CreateBackup": func() error {
			_, err := db.CreateBackup(ctx, &dynamodb.CreateBackupInput{TableName: table, BackupName: aws.String("a-backup")})
			return err
		},
		"DescribeContinuousBackups": func() error {
			_, err := db.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: table})
			return err
		},
		"UpdateContinuousBackups": func() error {
			_, err := db.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
				TableName:                        table,
				PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
			})
			return err
		},
		"RestoreTableToPointInTime": func() error {
			_, err := db.RestoreTableToPointInTime(ctx, &dynamodb.RestoreTableToPointInTimeInput{
				SourceTableName: table, TargetTableName: aws.String("never"), UseLatestRestorableTime: aws.Bool(true),
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(), "TableNotFoundException", "Table not found: no-such-table") })
	}
}

// TestUntagNothing: there is a text of its own for it (wire-facts §6.17).
func TestUntagNothing(t *testing.T) {
	_, arn := newTable(t)
	_, err := db.UntagResource(t.Context(), &dynamodb.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{}})
	wantError(t, err, validation, "Atleast one Tag Key needs to be provided as Input.")
}
