// What a person sees of a page, as the browser computed it: loaded into a page by rendered.py.

// [red, green, blue, alpha], 0 to 1 each, of a computed colour.
const channels = (colour) => {
  const numbers = colour.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
  const scale = colour.startsWith("color(") ? 1 : 255;
  return [...numbers.slice(0, 3).map((value) => value / scale), numbers[3] ?? 1];
};

const over = ([...top], bottom) => {
  const alpha = top[3] + bottom[3] * (1 - top[3]);
  const mixed = [0, 1, 2].map((i) => (top[i] * top[3] + bottom[i] * bottom[3] * (1 - top[3])) / (alpha || 1));
  return [...mixed, alpha];
};

// Relative luminance and contrast (WCAG 2.1).
const luminance = (colour) => {
  const [r, g, b] = colour.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

// The colour behind an element: all translucent backgrounds up to the first opaque one, or the browser's canvas.
const behind = (element) => {
  let colour = [0, 0, 0, 0];
  for (let each = element; each; each = each.parentElement) {
    colour = over(colour, channels(getComputedStyle(each).backgroundColor));
    if (colour[3] === 1) return colour;
  }
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0.07, 0.07, 0.07, 1] : [1, 1, 1, 1];
  return over(colour, canvas);
};

const opacity = (element) => {
  let product = 1;
  for (let each = element; each; each = each.parentElement) product *= +getComputedStyle(each).opacity;
  return product;
};

const against = (element, colour, background) => {
  const [r, g, b, alpha] = channels(colour);
  return contrast(over([r, g, b, alpha * opacity(element)], background), background);
};

const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });

const described = (element) => {
  const name = element.className?.baseVal ?? element.className;
  return `${element.tagName.toLowerCase()}${name ? "." + name : ""} ${element.textContent.trim().slice(0, 30)}`;
};

window.rendered = {
  // [what, contrast, least]: each kind of text, and what else must be told from its background.
  contrasts() {
    const found = new Map();
    const add = (element, colour, background, least) => {
      const value = against(element, colour, background);
      const key = `${colour} ${background} ${least}`;
      if (!found.has(key) || found.get(key)[1] > value) found.set(key, [described(element), value, least]);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !visible(element) || element.closest("script, style, noscript, title, option")) continue;
      const style = getComputedStyle(element);
      add(element, element.namespaceURI.endsWith("svg") ? style.fill : style.color, behind(element), 4.5);
    }
    for (const control of document.querySelectorAll("input:not([type=range]), select, textarea")) {
      if (visible(control)) add(control, getComputedStyle(control).color, behind(control), 4.5);
    }
    for (const line of document.querySelectorAll("path.line")) {
      add(line, getComputedStyle(line).stroke, behind(line), 3);
    }
    for (const dot of document.querySelectorAll("circle")) add(dot, getComputedStyle(dot).fill, behind(dot), 3);
    // The edge of what can be used (WCAG 2.1, 1.4.11), where the page draws it and not the browser.
    for (const control of document.querySelectorAll("button, select, input:not([type=range])")) {
      const style = getComputedStyle(control);
      if (!visible(control) || style.borderTopWidth === "0px") continue;
      const edge = against(control, style.borderTopColor, behind(control.parentElement));
      const fill = contrast(behind(control), behind(control.parentElement));
      if (edge >= fill) add(control, style.borderTopColor, behind(control.parentElement), 3);
      else add(control, style.backgroundColor, behind(control.parentElement), 3);
    }
    return [...found.values()];
  },

  // What reaches beyond the page's right edge, or a control or image beyond that of its frame.
  overflowing() {
    const width = document.documentElement.clientWidth;
    const wide = document.documentElement.scrollWidth > width || document.body.scrollWidth > width;
    const scrolls = (element) => {
      for (let each = element; each; each = each.parentElement) {
        if (each !== document.body && each !== document.documentElement
            && ["auto", "scroll", "hidden"].includes(getComputedStyle(each).overflowX)) return true;
      }
      return false;
    };
    const right = (element) => element.getBoundingClientRect().right;
    const outside = [...document.querySelectorAll("input, select, button, img")].filter((each) => {
      const frame = each.closest("form, section, figure");
      return frame && visible(each) && right(each) > right(frame) + 0.5;
    });
    return [...document.body.querySelectorAll("*")]
      .filter((each) => visible(each) && right(each) > width + 0.5 && !scrolls(each))
      .concat(outside).map(described).concat(wide ? [`the page is ${document.documentElement.scrollWidth} px wide`] : []);
  },

  // Images that are not there.
  broken() {
    return [...document.images].filter((each) => !each.complete || !each.naturalWidth).map((each) => each.alt);
  },

  // [what, whether its focus shows, contrast of the ring] of what the keyboard is at; null: nothing.
  focus() {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const style = getComputedStyle(element);
    const shows = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const box = element.getBoundingClientRect();
    const within = box.bottom > 0 && box.top < innerHeight;
    return [described(element), shows && within, against(element, style.outlineColor, behind(element.parentElement))];
  },

  // How many places the keyboard should come by: radio buttons of one name are one.
  reachable() {
    const places = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
      .filter((each) => visible(each) && !each.disabled && each.type !== "hidden");
    return new Set(places.map((each) => (each.type === "radio" ? each.name : each))).size;
  },
};
