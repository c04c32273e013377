/** The view of the pipeline itself: components, topics with their records, consumer groups and models. */
import { type ComponentChild, render } from "preact";
import { byId } from "./dom.ts";
import { time } from "./format.ts";
import {
  ops,
  opsAnswer,
  OpsError,
  type ComponentsOverview,
  type GroupOverview,
  type ModelsOverview,
  type RecordsOverview,
  type TopicOverview,
} from "./ops.ts";
import { Components } from "./pipeline-components.tsx";
import { Groups } from "./pipeline-groups.tsx";
import { Models } from "./pipeline-models.tsx";
import { Topic, Topics } from "./pipeline-topics.tsx";
import type { View } from "./view.ts";

const tabs = { components: "Components", topics: "Topics", groups: "Consumer groups", models: "Models" } as const;
type Tab = keyof typeof tabs;

/** What an address names. */
interface Place {
  readonly tab: Tab;
  /** Empty for the list of topics. */
  readonly topic: string;
  /** As the address has them, empty for none. */
  readonly partition: string;
  readonly before: string;
}

/** What was read last; kept while another tab is shown. */
interface Data {
  components?: ComponentsOverview;
  topics?: readonly TopicOverview[];
  groups?: readonly GroupOverview[];
  models?: ModelsOverview;
  records?: RecordsOverview;
}

const DIGITS = /^\d{1,15}$/;

export class PipelineView implements View {
  readonly component = "processor";
  readonly source = "status";
  #place: Place = { tab: "components", topic: "", partition: "", before: "" };
  #data: Data = {};
  #readAt: number | null = null;
  /** What an answer says is wrong, such as that a topic is not there. */
  #problem = "";
  /** Whether the records of a topic are read again and again. */
  #follows = true;
  /** Records that are open: the list stands still meanwhile. */
  readonly #open = new Set<string>();

  show(name: string, query: URLSearchParams): void {
    const [first = "", topic = ""] = name.split(/\/(.*)/s);
    const isTopic = first === "topic" && topic !== "";
    const tab = isTopic ? "topics" : Object.hasOwn(tabs, first) ? (first as Tab) : "components";
    const given = (parameter: string): string => {
      const value = query.get(parameter) ?? "";
      return DIGITS.test(value) ? value : "";
    };
    const place = { tab, topic: isTopic ? topic : "", partition: given("partition"), before: given("before") };
    if (JSON.stringify(place) !== JSON.stringify(this.#place)) {
      delete this.#data.records;
      this.#open.clear();
      this.#problem = "";
    }
    this.#place = place;
    document.title = `${place.topic || tabs[tab]} · Pipeline · Millrace`;
    this.#render();
  }

  hide(): void {
    this.#open.clear();
  }

  async refresh(): Promise<void> {
    const place = this.#place;
    try {
      const read = await this.#read(place);
      if (place !== this.#place) return;
      Object.assign(this.#data, read);
      this.#problem = "";
      this.#readAt = Date.now();
    } catch (error) {
      if (!(error instanceof OpsError)) throw error;
      if (place === this.#place) this.#problem = error.message;
    } finally {
      this.#render();
    }
  }

  async #read({ tab, topic, partition, before }: Place): Promise<Data> {
    switch (tab) {
      case "components":
        return { components: await opsAnswer(ops.GET("/ops/components")) };
      case "groups":
        return { groups: await opsAnswer(ops.GET("/ops/groups")) };
      case "models":
        return { models: await opsAnswer(ops.GET("/ops/models")) };
      case "topics": {
        const topics = await opsAnswer(ops.GET("/ops/topics"));
        if (topic === "" || !this.#isDue()) return { topics };
        const query = {
          topic,
          ...(partition === "" ? {} : { partition: Number(partition) }),
          ...(before === "" ? {} : { before: Number(before) }),
        };
        const records = await opsAnswer(ops.GET("/ops/records", { params: { query } }));
        // The client's types make a list of anything of what is a pair in the document.
        return { topics, records: records as RecordsOverview };
      }
    }
  }

  /** Whether the records of the topic are to be read. */
  #isDue(): boolean {
    if (this.#data.records === undefined) return true;
    return this.#follows && this.#open.size === 0 && this.#place.before === "";
  }

  #render(): void {
    const { tab } = this.#place;
    render(
      <>
        <nav class="tabs" aria-label="Parts of the pipeline">
          <h1>Pipeline</h1>
          {Object.entries(tabs).map(([name, title]) => (
            <a key={name} href={`#/pipeline/${name}`} aria-current={name === tab ? "page" : undefined}>
              {title}
            </a>
          ))}
          <span class="muted">{this.#readAt !== null && `read at ${time(this.#readAt)}`}</span>
        </nav>
        {this.#problem !== "" && (
          <p class="notice" role="status">
            {this.#problem}
          </p>
        )}
        <div data-from="status">{this.#content()}</div>
      </>,
      byId("pipeline"),
    );
  }

  #content(): ComponentChild {
    const { components, topics, groups, models, records } = this.#data;
    const { tab, topic, partition, before } = this.#place;
    const waiting = this.#problem === "" && <p class="muted">Reading …</p>;
    switch (tab) {
      case "components":
        return components ? <Components {...components} /> : waiting;
      case "groups":
        return groups ? <Groups groups={groups} /> : waiting;
      case "models":
        return models ? <Models {...models} onChanged={() => this.refresh()} /> : waiting;
      case "topics": {
        if (!topics) return waiting;
        if (topic === "") return <Topics topics={topics} />;
        return (
          <Topic
            name={topic}
            overview={topics.find(({ name }) => name === topic)}
            records={records}
            partition={partition}
            before={before}
            follows={this.#follows}
            isHeld={this.#open.size > 0}
            onFollow={(follows) => {
              this.#follows = follows;
              this.#render();
            }}
            onOpen={(key, isOpen) => {
              if (isOpen) this.#open.add(key);
              else this.#open.delete(key);
              this.#render();
            }}
          />
        );
      }
    }
  }
}
