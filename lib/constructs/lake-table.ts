import { aws_glue as glue, type aws_s3 as s3 } from "aws-cdk-lib";
import { partitionColumns, projectedDates, type TableSpec } from "../../domain/tables.ts";
import { lakeDatabaseName } from "../names.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** Prefix of a table's objects in the lake. */
export function tablePrefix(table: Pick<TableSpec, "name">): string {
  return `tables/${table.name}/`;
}

/** A Glue table of Parquet files. Athena computes its partitions (projection): no crawler, no `ADD PARTITION`. */
export function lakeTable(
  stack: MillraceStack,
  table: TableSpec,
  database: glue.CfnDatabase,
  bucket: s3.IBucket,
): glue.CfnTable {
  const location = `s3://${bucket.bucketName}/${tablePrefix(table)}`;
  const resource = new glue.CfnTable(stack, `Table-${table.name}`, {
    catalogId: stack.account,
    databaseName: lakeDatabaseName(stack.config),
    tableInput: {
      name: table.name,
      description: `from ${table.sources.join(", ")}; at least once: ${table.name}_exact has one row per id`,
      tableType: "EXTERNAL_TABLE",
      partitionKeys: partitionColumns.map(({ name, type, comment }) => ({ name, type, comment })),
      parameters: {
        EXTERNAL: "TRUE",
        classification: "parquet",
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": projectedDates(stack.config.semantics.earliestTimeMs),
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "projection.hour.type": "integer",
        "projection.hour.range": "0,23",
        "projection.hour.digits": "2",
        "storage.location.template": `${location}dt=\${dt}/hour=\${hour}/`,
      },
      storageDescriptor: {
        columns: table.columns.map(({ name, type, comment }) => ({ name, type, comment })),
        location,
        inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        serdeInfo: {
          serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
          parameters: { "serialization.format": "1" },
        },
      },
    },
  });
  resource.addResourceDependency(database);
  return resource;
}

/** Athena's (Trino's) name of a Glue column type. */
function trinoType(type: string): string {
  const inner = (name: string): string => type.slice(name.length + 1, -1);
  if (type === "string") return "varchar";
  if (type === "int") return "integer";
  if (type.startsWith("array<")) return `array(${trinoType(inner("array"))})`;
  if (type.startsWith("map<")) return `map(${inner("map").split(",").map(trinoType).join(", ")})`;
  if (type.startsWith("struct<")) {
    const fields = inner("struct")
      .split(",")
      .map((field) => field.split(":"))
      .map(([name = "", of = ""]) => `${name} ${trinoType(of)}`);
    return `row(${fields.join(", ")})`;
  }
  return type;
}

/** SQL of a table's view with one row per id. Copies of a record are equal, so the view takes any of them. */
function exactViewSql(table: TableSpec): string {
  const names = [...table.columns, ...partitionColumns].map(({ name }) => `"${name}"`).join(", ");
  const numbered = `SELECT ${names}, row_number() OVER (PARTITION BY "dt", "hour", "id") AS copy FROM "${table.name}"`;
  return `SELECT ${names} FROM (${numbered}) WHERE copy = 1`;
}

/** The view `<table>_exact`, stored in Glue as Athena stores views. */
export function exactView(stack: MillraceStack, table: TableSpec, glueTable: glue.CfnTable): glue.CfnTable {
  const columns = [...table.columns, ...partitionColumns];
  const definition = {
    originalSql: exactViewSql(table),
    catalog: "awsdatacatalog",
    schema: lakeDatabaseName(stack.config),
    columns: columns.map(({ name, type }) => ({ name, type: trinoType(type) })),
  };
  const view = new glue.CfnTable(stack, `View-${table.name}`, {
    catalogId: stack.account,
    databaseName: lakeDatabaseName(stack.config),
    tableInput: {
      name: `${table.name}_exact`,
      description: `${table.name} with one row per id`,
      tableType: "VIRTUAL_VIEW",
      parameters: { presto_view: "true", comment: "Presto View" },
      storageDescriptor: {
        columns: columns.map(({ name, type, comment }) => ({ name, type, comment })),
        serdeInfo: {},
      },
      viewOriginalText: `/* Presto View: ${Buffer.from(JSON.stringify(definition)).toString("base64")} */`,
      viewExpandedText: "/* Presto View */",
    },
  });
  view.addResourceDependency(glueTable);
  return view;
}
