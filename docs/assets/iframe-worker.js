// The search in a site that is opened from the disk: browsers start no Worker from file:, so one that lives in a hidden
// frame takes its place. The theme asks for a class of this name; over http it is not needed, and not made.
(() => {
  if (location.protocol !== "file:") return;

  function load(inside, url) {
    return new Promise((resolve, reject) => {
      const script = inside.document.createElement("script");
      script.src = url;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`cannot be loaded: ${url}`));
      inside.document.head.append(script);
    });
  }

  class IFrameWorker extends EventTarget {
    #frame = document.createElement("iframe");
    #started;

    constructor(url) {
      super();
      this.#frame.hidden = true;
      this.#frame.srcdoc = "<!doctype html>";
      this.#started = new Promise((resolve) => {
        this.#frame.onload = () => resolve(this.#frame.contentWindow);
      }).then((inside) => this.#start(inside, url));
      document.body.append(this.#frame);
    }

    async #start(inside, url) {
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = async (...urls) => {
        for (const each of urls) await load(inside, each); // one after the other: later ones need what earlier ones set
      };
      await load(inside, url);
      return inside;
    }

    postMessage(data) {
      this.#started.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
    }

    terminate() {
      this.#frame.remove();
    }
  }

  window.IFrameWorker = window.Worker = IFrameWorker;
})();
