/** Components of the pipeline with their figures, and the alarms that are on. */
import { time } from "./format.ts";
import type { ComponentOverview, ComponentsOverview, RaisedAlarm } from "./ops.ts";
import { measure } from "./units.ts";

export function Components({ components, alarms }: ComponentsOverview) {
  return (
    <>
      <section class="panel" aria-labelledby="raised-title">
        <h2 id="raised-title">Alarms that are on</h2>
        {alarms.length === 0 ? (
          <p class="muted hint">None.</p>
        ) : (
          <ul class="raised">
            {alarms.map((alarm) => (
              <Alarm key={alarm.name} alarm={alarm} />
            ))}
          </ul>
        )}
      </section>
      <div class="components">
        {components.map((component) => (
          <Component
            key={component.name}
            component={component}
            alarms={alarms.filter((alarm) => alarm.components.includes(component.name))}
          />
        ))}
      </div>
    </>
  );
}

function Alarm({ alarm }: { readonly alarm: RaisedAlarm }) {
  const { name, severity, means, runbook, sinceMs, explainedBy, components } = alarm;
  const about = components.length === 0 ? "" : ` About ${components.join(", ")}.`;
  return (
    <li>
      <span class={`severity ${severity.toLowerCase()}`}>{severity}</span>
      <strong>{name}</strong>
      <span>
        {means}, since {time(sinceMs)}.{about}
        {explainedBy !== null && ` Explained by ${explainedBy}.`}
      </span>
      <a class="target" href={`runbooks/${runbook}.md`} target="_blank" aria-label={`Runbook of ${name}`}>
        Runbook
      </a>
    </li>
  );
}

interface ComponentProps {
  readonly component: ComponentOverview;
  readonly alarms: readonly RaisedAlarm[];
}

function Component({ component, alarms }: ComponentProps) {
  const { name, kind, state, status, problems, restarts, figures } = component;
  return (
    <article class="panel" data-component={name}>
      <h3>
        {name} <span class={`health ${status}`}>{status}</span>
      </h3>
      <p class="muted">
        {kind}, {state}
        {restarts > 0 && <strong> · restarted {restarts === 1 ? "once" : `${restarts} times`}</strong>}
      </p>
      {alarms.map((alarm) => (
        <p key={alarm.name} class="bad">
          {alarm.severity}: {alarm.name}
        </p>
      ))}
      {problems.map((problem) => (
        <p key={problem} class="bad">
          {problem}
        </p>
      ))}
      {figures.length > 0 && (
        <dl>
          {figures.map((figure) => (
            <div key={figure.name}>
              <dt>{figure.name}</dt>
              <dd>{measure(figure.value, figure.unit)}</dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}
