/** Line icons on a 16 px grid; decoration only, so hidden from assistive technology. */

const PATHS = {
  search: "M7 12.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM11 11l3.5 3.5",
  dashboards: "M2 2.5h5v6H2zM9 2.5h5v3.5H9zM9 8h5v5.5H9zM2 10.5h5v3H2z",
  models: "M8 1.8l5.5 3.1v6.2L8 14.2l-5.5-3.1V4.9zM8 8v6.2M8 8l5.5-3.1M8 8L2.5 4.9",
  traces: "M1.5 3h7M4 6.5h8M6.5 10h4M8.5 13.5h6",
  alerts: "M8 1.8v1.4M3.8 11.5V7.4a4.2 4.2 0 0 1 8.4 0v4.1l1.3 1.2h-11zM6.6 14.4h2.8",
  status: "M1.5 8.5h3l1.8-5 3 9.5 1.9-4.5h3.3",
  clock: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM8 4.5V8l2.4 1.6",
  pause: "M5.5 3v10M10.5 3v10",
  play: "M4.5 2.8v10.4L13 8z",
  command:
    "M5.5 5.5h5v5h-5zM5.5 5.5H4A1.75 1.75 0 1 1 5.5 4zM10.5 5.5V4A1.75 1.75 0 1 1 12 5.5zM10.5 10.5H12a1.75 1.75 0 1 1-1.5 1.5zM5.5 10.5V12A1.75 1.75 0 1 1 4 10.5z",
  user: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14.2c.5-3 2.6-4.4 5.5-4.4s5 1.4 5.5 4.4",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5 6 6 0 1 0 13.5 9.5z",
  chevron: "M6 3.5L10.5 8 6 12.5",
  down: "M3.5 6L8 10.5 12.5 6",
  up: "M3.5 10.5L8 6l4.5 4.5",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  check: "M2.5 8.5l3.5 3.5 7.5-8",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  warn: "M8 2L15 14H1zM8 6.5v3.2M8 11.6v.6",
  error: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM8 4.8v4M8 10.8v.6",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  edit: "M2.5 13.5l.7-3L10.7 3l2.3 2.3-7.5 7.5zM9.3 4.4l2.3 2.3",
  trash: "M2.5 4.5h11M6 4.5V2.5h4v2M4 4.5l.7 9.5h6.6l.7-9.5M6.6 7v4.5M9.4 7v4.5",
  expand: "M9.5 2.5h4v4M13.5 2.5L9 7M6.5 13.5h-4v-4M2.5 13.5L7 9",
  refresh: "M13.5 7A5.6 5.6 0 0 0 3.3 5M2.5 9a5.6 5.6 0 0 0 10.2 2M3.2 1.8V5h3.2M12.8 14.2V11H9.6",
  zoomout: "M7 12.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM11 11l3.5 3.5M4.8 7h4.4",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  link: "M6.5 9.5l3-3M7 4.5l1.8-1.8a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5l-1.800 1.800a2.8 2.8 0 0 1-4-4L5 7.500",
  table: "M1.800 3h12.400v10H1.800zM1.800 6.300h12.400M1.800 9.700h12.400M6 3v10",
  chart: "M2 14h12.500M3.500 12V8.500M7 12V4M10.500 12V6.500M14 12V2.500",
  list: "M2 3.500h12M2 8h12M2 12.500h12",
  collapse: "M2 2.500h12v11H2zM6 2.500v11M11.500 6L9.500 8l2 2",
  stop: "M4 4h8v8H4z",
  history: "M2.300 8a5.700 5.700 0 1 0 1.900-4.300L2.300 5.400M2.300 2v3.400h3.400M8 5v3.200l2.200 1.300",
  save: "M2.500 2.500h9l2 2v9h-11zM5 2.500v3.500h5.500v-3.500M4.800 13.500V9h6.400v4.500",
  download: "M8 2v8.500M4.500 7.500L8 11l3.500-3.500M2.500 13.800h11",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  const heavy = name === "more" ? 2.6 : 1.4;
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={heavy}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
