// What a dashboard file may have: the types of @grafana/schema, for values as JSON has them. `dashboard.ts`, made by
// tests/fleet/dashboard.rs, declares the file's text as a value of `File`, so that the compiler also finds keys that
// do not exist.
import type { Dashboard, DataQuery, FieldConfig, Panel, RowPanel } from "@grafana/schema";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** Enumerations of strings as their values. */
type Plain<T> = T extends string
  ? `${T}`
  : T extends object
    ? { [K in keyof T]: Plain<T[K]> }
    : T;

/** A query of the Prometheus data source, which the schema has no type for. */
interface Query extends DataQuery {
  expr: string;
  legendFormat: string;
  range?: boolean;
  instant?: boolean;
  format?: "table" | "time_series";
}

/** A panel of a kind, with the options and fields that this kind has, and no others. */
type PanelOf<Kind, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Kind;
  options: Options;
  targets: Query[];
  fieldConfig: {
    defaults: Omit<FieldConfig, "custom"> & { custom?: Partial<Custom> };
    overrides: NonNullable<Panel["fieldConfig"]>["overrides"];
  };
};

type AnyPanel =
  | RowPanel
  | PanelOf<"stat", Stat.Options, never>
  | PanelOf<"table", Table.Options, Table.FieldConfig>
  | PanelOf<"timeseries", TimeSeries.Options, TimeSeries.FieldConfig>;

export type File = Plain<Omit<Dashboard, "panels"> & { panels: AnyPanel[] }>;
