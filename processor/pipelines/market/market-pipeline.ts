import { windowOperatorName } from "../../../domain/imu.ts";
import { barWindows } from "../../../domain/market.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { controlTypes, topics } from "../../../domain/topics.ts";
import { WindowOperator } from "../../operators/window-operator.ts";
import type { LateOutput } from "../../runtime/late.ts";
import type { Pipeline } from "../../runtime/pipeline.ts";
import { bars, closeOf } from "./bar.ts";
import { BoundOperator } from "./bound-operator.ts";
import { ComplianceOperator } from "./compliance-operator.ts";
import { decodeTrade } from "./decode-trade.ts";
import { EnrichOperator } from "./enrich-operator.ts";
import { LastCloses } from "./last-closes.ts";
import { PositionOperator, Positions } from "./position-operator.ts";
import { ReferenceData } from "./reference-data.ts";
import { BookIndex } from "./trade-book.ts";
import { TradeDeduplication } from "./trade-deduplication.ts";
import { TradeMessage } from "./trade-message.ts";

/** The field that holds the key in every record of the market pipeline. */
const KEY_FIELD = "symbol";

const late: LateOutput<TradeMessage> = {
  topic: topics.marketLate.name,
  identify: ({ key }) => ({ [KEY_FIELD]: key }),
  verbatim: ({ received }) => ({ trade: received }),
};

/** The market pipeline: decode ▸ deduplicate ▸ enrich ▸ bars ▸ positions ▸ compliance. */
export function marketPipeline(): Pipeline<TradeMessage> {
  return {
    name: "market",
    source: topics.trades.name,
    deadLetter: topics.deadLetter.name,
    open: () => {
      const reference = new ReferenceData();
      const closes = new LastCloses();
      const positions = new Positions();
      const index = new BookIndex();
      return {
        controls: { [controlTypes.reference]: reference.control },
        kept: [reference.state, closes.state, positions.state],
        asyncWork: null,
        build: (settings) => {
          const enrich = new EnrichOperator({ ...settings, to: topics.marketEnriched.name, reference, index });
          const alertsTo = topics.marketAlerts.name;
          return {
            message: new TradeMessage(),
            maxKeys: settings.maxSymbolsPerPartition,
            decode: decodeTrade,
            deduplication: new TradeDeduplication(enrich),
            operators: [
              enrich,
              ...barWindows.map((window) => barOperator(window, settings, closes)),
              new PositionOperator({ ...settings, to: topics.marketPositions.name, alertsTo, positions }),
              new ComplianceOperator({ to: alertsTo, reference, closes }),
              new BoundOperator(enrich, settings),
            ],
          };
        },
      };
    },
  };
}

function barOperator(
  { windowMs, slideMs }: (typeof barWindows)[number],
  { allowedLatenessMs, maxKeptPerPartition }: Semantics,
  closes: LastCloses,
): WindowOperator<TradeMessage> {
  const isTumbling = windowMs === slideMs;
  return new WindowOperator({
    name: windowOperatorName(windowMs, slideMs),
    windowMs,
    slideMs,
    allowedLatenessMs,
    aggregate: bars(windowMs),
    to: topics.marketAggregated.name,
    keyField: KEY_FIELD,
    late,
    // A cancelled trade is taken out of a bar by its other trades, which must all be there.
    misses: (message, start) => message.tooLate || (message.revokes && start <= message.book!.letGoUpTo),
    fired: (symbol, start, result) => {
      const close = closeOf(result);
      if (isTumbling && close !== null) closes.fired(symbol, start, close, maxKeptPerPartition);
    },
  });
}
