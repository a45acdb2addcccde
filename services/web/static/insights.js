"use strict";

// Draws each chart from the data that stands behind it. The tables tell the same without it.
(() => {
  const ROW = 36;
  const BAR = 16;

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim();
    return {
      ink: value("--cpor-ink"),
      soft: value("--cpor-soft"),
      line: value("--cpor-line"),
      surface: value("--cpor-surface"),
      tone: (tone) => value(tone === "accent" ? "--cpor-accent" : `--tone-${tone}-ink`),
    };
  };

  const option = (data, width) => {
    const colour = colours();
    const text = { color: colour.ink, fontFamily: getComputedStyle(document.body).fontFamily };
    const label = (series) => ({
      show: true,
      position: data.stacked ? "inside" : "right",
      color: data.stacked ? colour.surface : colour.ink,
      formatter: (point) => (data.stacked && !point.value ? "" : series.texts[point.dataIndex]),
    });
    return {
      animation: false,
      textStyle: text,
      tooltip: {
        renderMode: "richText",
        backgroundColor: colour.surface,
        borderColor: colour.line,
        textStyle: text,
        formatter: (point) =>
          [point.name, `${point.seriesName}: ${data.series[point.seriesIndex].texts[point.dataIndex]}`]
            .filter(Boolean)
            .join("\n"),
      },
      legend: { show: data.series.length > 1, bottom: 0, left: 0, itemWidth: 14, textStyle: text },
      grid: {
        left: 0,
        right: data.stacked ? 8 : 48,
        top: 4,
        bottom: data.series.length > 1 ? 34 : 4,
        outerBoundsMode: "same",
        outerBoundsContain: "axisLabel",
      },
      xAxis: { type: "value", show: false, max: data.stacked ? "dataMax" : undefined },
      yAxis: {
        type: "category",
        inverse: true,
        data: data.categories,
        axisTick: { show: false },
        axisLine: { show: false },
        axisLabel: { show: data.categories.some(Boolean), color: colour.ink, lineHeight: 14, width: width * 0.38, overflow: "break" },
      },
      series: data.series.map((series) => ({
        type: "bar",
        name: series.name,
        stack: data.stacked ? "all" : undefined,
        data: series.values,
        barMaxWidth: BAR + (data.stacked ? 8 : 0),
        itemStyle: { color: colour.tone(series.tone), borderRadius: data.stacked ? 0 : 3 },
        label: label(series),
      })),
    };
  };

  for (const place of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(place.nextElementSibling.textContent);
    const bars = data.categories.length * (data.stacked ? 1 : Math.max(1, data.series.length * 0.8));
    place.hidden = false;
    const height = bars * ROW + (data.series.length > 1 ? 42 : 8);
    const chart = echarts.init(place, null, { renderer: "svg", height: Math.max(height, 96) });
    const draw = () => chart.setOption(option(data, place.clientWidth), true);
    draw();
    new ResizeObserver(() => {
      chart.resize();
      draw();
    }).observe(place);
    new MutationObserver(draw).observe(document.documentElement, {
      attributeFilter: ["data-bs-theme"],
    });
  }
})();
