'use strict';
// Keeps the page up to date. The server sends changes as server-sent events, rendered and escaped.
(() => {
  const main = document.querySelector('main');
  const counts = document.querySelector('.counts');
  const live = document.getElementById('live');
  const sources = new WeakMap(); // each card as the server rendered it

  // The browser adds relative times, because they change.
  const relative = new Intl.RelativeTimeFormat('en', {numeric: 'auto'});
  const units = [['day', 86400], ['hour', 3600], ['minute', 60]];
  const age = (time) => {
    const seconds = Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000);
    const unit = units.find(([, length]) => seconds >= length);
    return unit ? relative.format(-Math.floor(seconds / unit[1]), unit[0]) : 'just now';
  };
  const addAges = () => main.querySelectorAll('time').forEach((time) => {
    let label = time.nextElementSibling;
    if (!label?.classList.contains('age')) {
      label = document.createElement('span');
      label.className = 'age';
      time.after(label);
    }
    const text = age(time);
    if (label.textContent !== text) label.textContent = text;
  });

  const parse = (html) => {
    const template = document.createElement('template');
    template.innerHTML = html;
    return template.content;
  };
  // A card that did not change keeps its element, so that selection and focus stay.
  const show = (update) => {
    const next = [...parse(update.main).children].map((card) => {
      const present = card.id && document.getElementById(card.id);
      if (present && sources.get(present) === card.outerHTML) return present;
      sources.set(card, card.outerHTML);
      card.classList.add('fresh');
      return card;
    });
    [...main.children].filter((card) => !next.includes(card)).forEach((card) => card.remove());
    let at = main.firstElementChild;
    next.forEach((card) => {
      if (card === at) at = at.nextElementSibling;
      else main.insertBefore(card, at);
    });
    const fresh = parse(update.counts);
    if (counts.textContent !== fresh.textContent) counts.replaceChildren(fresh); // a screen reader announces it
    document.title = update.title;
    addAges();
  };

  let stream, retry;
  const start = () => {
    stream = new EventSource('events');
    stream.onopen = () => { live.textContent = 'Pause updates'; };
    stream.onmessage = (event) => show(JSON.parse(event.data));
    stream.onerror = () => {
      live.textContent = 'Reconnecting…';
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(start, 5000);
    };
  };
  live.onclick = () => {
    if (stream) {
      clearTimeout(retry);
      stream.close();
      stream = undefined;
      live.textContent = 'Resume updates';
    } else {
      start();
    }
  };

  [...main.children].forEach((card) => sources.set(card, card.outerHTML));
  addAges();
  setInterval(addAges, 10000);
  live.hidden = false;
  start();
})();
