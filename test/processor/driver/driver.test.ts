import { PipelineDriver } from "../../../processor/driver/driver.ts";
import { driverStories } from "./driver-stories.ts";
import { marketStories } from "./market-stories.ts";

driverStories("in memory", (factory) => Promise.resolve(new PipelineDriver(factory)));
marketStories("in memory", (factory) => Promise.resolve(new PipelineDriver(factory)));
