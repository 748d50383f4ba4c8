/** The top bar: where you are, the time range, live refresh, the command palette, who you are. */
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Fragment } from "react";
import type { Me } from "../api/types";
import { Icon } from "../design/Icon";
import { MenuItem, Popover } from "../design/Popover";
import { logout } from "./session";
import { setPreference, usePreferences } from "./theme";
import { TimeRangePicker } from "./TimeRangePicker";
import { useCarried, useRange } from "./useRange";
import { useTrail } from "./where";

export function TopBar({ me, openPalette }: { me: Me; openPalette: () => void }) {
  const trail = useTrail();
  const carried = useCarried();
  const { live, setLive } = useRange();
  return (
    <header className="topbar">
      <div className="trail">
        {trail.map((step, i) => (
          <Fragment key={`${step.label}-${i}`}>
            {i > 0 && (
              <span className="trail-gap" aria-hidden="true">
                /
              </span>
            )}
            {step.to && i < trail.length - 1 ? (
              <Link to={step.to} search={carried as never} className="trail-step">
                {step.label}
              </Link>
            ) : (
              <h1 className="trail-here" title={step.label}>
                {step.label}
              </h1>
            )}
          </Fragment>
        ))}
      </div>
      <TimeRangePicker />
      <button
        type="button"
        className={live ? "icon-button" : "icon-button on"}
        aria-pressed={!live}
        aria-label={live ? "Pause live refresh" : "Resume live refresh"}
        title={live ? "Pause live refresh" : "Live refresh is paused"}
        onClick={() => setLive(!live)}
      >
        <Icon name={live ? "pause" : "play"} />
      </button>
      <button type="button" className="button palette-button" title="Commands" onClick={openPalette}>
        <Icon name="command" />
        <span className="hidden-label">Commands</span>
        <kbd>{shortcut("K")}</kbd>
      </button>
      <UserMenu me={me} />
    </header>
  );
}

export function shortcut(key: string): string {
  return /Mac|iPhone|iPad/.test(navigator.platform) ? `⌘${key}` : `Ctrl ${key}`;
}

function UserMenu({ me }: { me: Me }) {
  const { theme, density } = usePreferences();
  const client = useQueryClient();
  const navigate = useNavigate();
  const leave = async (): Promise<void> => {
    await logout().catch(() => undefined);
    client.clear();
    await navigate({ to: "/login" });
  };
  return (
    <Popover
      label={<Icon name="user" />}
      name={`User ${me.username}`}
      className="icon-button"
      align="right"
      width={220}
    >
      {(close) => (
        <>
          <div className="menu-head">
            {me.username} <span className="dim">{me.role}</span>
          </div>
          <div className="menu-rule" />
          <MenuItem checked={theme === "dark"} onSelect={() => setPreference("theme", "dark")}>
            Dark
          </MenuItem>
          <MenuItem checked={theme === "light"} onSelect={() => setPreference("theme", "light")}>
            Light
          </MenuItem>
          <div className="menu-rule" />
          <MenuItem checked={density === "compact"} onSelect={() => setPreference("density", "compact")}>
            Compact rows
          </MenuItem>
          <MenuItem checked={density === "comfortable"} onSelect={() => setPreference("density", "comfortable")}>
            Comfortable rows
          </MenuItem>
          <div className="menu-rule" />
          <MenuItem
            onSelect={() => {
              close();
              void leave();
            }}
          >
            Log out
          </MenuItem>
        </>
      )}
    </Popover>
  );
}
