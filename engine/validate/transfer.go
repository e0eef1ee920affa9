package validate

import (
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// Bounds of the period of an incremental export (wire-facts §6.19).
const (
	exportPeriodMin = 15 * time.Minute
	exportPeriodMax = 24 * time.Hour
	// memberFilterValues is the place of the values of an export's filter.
	memberFilterValues = "FilterSpecification." + memberValues
)

// ImportedTable is the table that an import makes, as a request to create it.
func ImportedTable(p *api.TableCreationParameters) *api.CreateTableInput {
	return &api.CreateTableInput{
		TableName: p.TableName, AttributeDefinitions: p.AttributeDefinitions, KeySchema: p.KeySchema,
		BillingMode: p.BillingMode, ProvisionedThroughput: p.ProvisionedThroughput,
		OnDemandThroughput: p.OnDemandThroughput, SSESpecification: p.SSESpecification,
		GlobalSecondaryIndexes: p.GlobalSecondaryIndexes, VectorIndexes: p.VectorIndexes,
	}
}

// ImportTable makes the static checks of an import: the constraints, the options of the format, and those of
// the table as CreateTable has them. Their order is unsure.
func ImportTable(in *api.ImportTableInput, _ Options) error {
	if err := Constraints(opImportTable, in); err != nil {
		return err
	}
	if o := in.InputFormatOptions; o != nil && o.Csv != nil {
		if in.InputFormat.Value != api.InputFormatCsv {
			return invalid(api.MsgImportCSV)
		}
		if name, twice := repeated(o.Csv.HeaderList); twice {
			return invalid(api.MsgImportHeader, name)
		}
	}
	create := ImportedTable(in.TableCreationParameters)
	if err := tableForm(create.TableName.Value); err != nil {
		return err
	}
	return newTable(create)
}

// DescribeImport makes the static checks.
func DescribeImport(in *api.DescribeImportInput, _ Options) error {
	return Constraints(opDescribeImport, in)
}

// ListImports makes the static checks.
func ListImports(in *api.ListImportsInput, _ Options) error {
	if err := Constraints(opListImports, in); err != nil {
		return err
	}
	return listedTable(in.TableArn)
}

// listedTable checks the ARN of the table whose exports or imports are listed.
func listedTable(arn api.Opt[string]) error {
	if !arn.Set {
		return nil
	}
	return exportedTable(arn.Value)
}

// exportedTable checks the ARN of a table of which there is no other form.
func exportedTable(arn string) error {
	name, ok := arnResource(arn)
	if !ok || len(name) < nameLengthMin || len(name) > nameLengthMax || !nameChars(name) {
		return invalid(api.MsgExportArn)
	}
	return nil
}

// ExportTable makes the static checks of an export up to the compilation of expressions. Those of its times
// against the window are not static. Their order is unsure.
func ExportTable(in *api.ExportTableToPointInTimeInput, _ Options) error {
	if err := Constraints(opExportTable, in); err != nil {
		return err
	}
	if err := exportedTable(in.TableArn.Value); err != nil {
		return err
	}
	if err := encryption(in.S3SseAlgorithm, in.S3SseKmsKeyId); err != nil {
		return err
	}
	if err := exportPeriod(in); err != nil {
		return err
	}
	f := in.FilterSpecification
	if f == nil {
		return nil
	}
	s := substitutes{f.ExpressionAttributeNames, f.ExpressionAttributeValues, in.Bad, memberFilterValues}
	filters := f.KeyConditionExpression.Set || f.FilterExpression.Set
	err := s.needed(filters || f.ProjectionExpression.Set, filters, memberFilterExpression+" and "+memberKeyConditionExpression)
	if err != nil {
		return err
	}
	return s.check()
}

// exportPeriod checks the times that an export names.
func exportPeriod(in *api.ExportTableToPointInTimeInput) error {
	spec := in.IncrementalExportSpecification
	switch {
	case in.ExportType.Value != api.ExportTypeIncrementalExport && spec != nil:
		return invalid(api.MsgExportFull)
	case in.ExportType.Value != api.ExportTypeIncrementalExport:
		return nil
	case spec == nil:
		return invalid(api.MsgExportIncrement)
	case in.ExportTime.Set:
		return invalid(api.MsgExportTimeIncrement)
	case !spec.ExportFromTime.Set:
		return invalid(api.MsgExportFrom)
	}
	return nil
}

// ExportPeriod refuses a period of an incremental export that is too long, or with strict one that is too short:
// the shortest of the service would make nobody who has just begun see one.
func ExportPeriod(from, to time.Time, strict bool) error {
	switch d := to.Sub(from); {
	case d <= 0:
		return invalid(api.MsgExportOrder)
	case d > exportPeriodMax, strict && d < exportPeriodMin:
		return invalid(api.MsgExportWindow)
	}
	return nil
}

// encryption refuses a key that nothing uses.
func encryption(algorithm, key api.Opt[string]) error {
	if key.Set && algorithm.Value != api.S3SseAlgorithmKMS {
		return invalid(api.MsgKMSKey)
	}
	return nil
}

// DescribeExport makes the static checks.
func DescribeExport(in *api.DescribeExportInput, _ Options) error {
	return Constraints(opDescribeExport, in)
}

// ListExports makes the static checks.
func ListExports(in *api.ListExportsInput, _ Options) error {
	if err := Constraints(opListExports, in); err != nil {
		return err
	}
	return listedTable(in.TableArn)
}

// StartBulkPutItems makes the static checks of a bulk put. Their order is unsure.
func StartBulkPutItems(in *api.StartBulkPutItemsInput, _ Options) error {
	if err := Constraints(opStartBulk, in); err != nil {
		return err
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	out := in.OutputS3Configuration
	if _, twice := repeated(out.OutputType); twice || len(out.OutputType) == 0 {
		return invalid(api.MsgOutputTypes)
	}
	return encryption(out.S3SseAlgorithm, out.S3SseKmsKeyId)
}

// DescribeBulkOperation makes the static checks.
func DescribeBulkOperation(in *api.DescribeBulkOperationInput, _ Options) error {
	return Constraints(opDescribeBulk, in)
}

// CancelBulkOperation makes the static checks.
func CancelBulkOperation(in *api.CancelBulkOperationInput, _ Options) error {
	return Constraints(opCancelBulk, in)
}

// ListBulkOperations makes the static checks.
func ListBulkOperations(in *api.ListBulkOperationsInput, _ Options) error {
	if err := Constraints(opListBulk, in); err != nil {
		return err
	}
	if in.MaxResults.Set && in.MaxResults.Value < 1 {
		return invalid(api.MsgMaxResults, in.MaxResults.Value)
	}
	return nil
}
