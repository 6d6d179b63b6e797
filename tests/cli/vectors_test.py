"""Models made for ranking and for embeddings, from the file to the answer."""

import json
import subprocess

from program import PROGRAM, ProgramTest, ask, main


class Vectors(ProgramTest):
    def serve(self, pooling, *flags):
        model = self.folder / f"{pooling}.gguf"
        self.output("synth", "--preset", "tiny-qwen3", "--type", "q8_0", "--pooling", pooling, *flags, model)
        server = subprocess.Popen([PROGRAM, "serve", model, "--listen", "127.0.0.1:0", "--log-level", "off"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        ready = next(line for line in server.stdout if " at http" in line)
        self.url = ready.split(" at ")[1].split()[0]

    def test_a_ranking_model_ranks_and_does_nothing_else(self):
        self.serve("rank")
        documents = ["stones hold each other", "the sea is deep", "walls", "stones hold each other"]
        status, answer = ask(self.url, "/v1/rerank", {"query": "what holds a wall", "documents": documents})
        self.assertEqual(status, 200, answer)
        scores = {one["index"]: one["relevance_score"] for one in answer["results"]}
        self.assertEqual(sorted(scores), [0, 1, 2, 3])
        self.assertEqual(scores[0], scores[3])
        self.assertEqual(len(set(scores.values())), 3)
        self.assertEqual(list(scores.values()), sorted(scores.values(), reverse=True))
        self.assertTrue(all(0 <= score <= 1 for score in scores.values()))
        self.assertGreater(answer["usage"]["prompt_tokens"], 4 * 20)

        status, one = ask(self.url, "/v1/rerank", {"query": "what holds a wall", "documents": documents[1:2]})
        self.assertEqual(one["results"][0]["relevance_score"], scores[1])  # alone as among others
        status, best = ask(self.url, "/rerank", {"query": "what holds a wall", "documents": documents, "top_n": 1,
                                            "return_documents": True})
        self.assertEqual(best["results"][0]["document"]["text"], documents[answer["results"][0]["index"]])

        for path, body in [("/v1/embeddings", {"input": "a"}), ("/v1/completions", {"prompt": "a"}),
                           ("/api/embed", {"input": "a"})]:
            status, refusal = ask(self.url, path, body)
            self.assertEqual(status, 400, path)
            self.assertIn("ranking", json.dumps(refusal))
        status, shown = ask(self.url, "/api/show", {})
        self.assertEqual(shown["capabilities"], ["rerank"])
        status, refusal = ask(self.url, "/v1/rerank", {"query": "a", "documents": ["b", "wall " * 3000]})
        self.assertEqual((status, refusal["error"]["param"]), (400, "documents[1]"))

    def test_the_file_says_how_a_vector_is_made(self):
        vectors = {}
        for pooling in ("mean", "last"):
            self.serve(pooling)
            for asked in (None, "mean", "last"):
                body = {"input": "a wall of stones"} | ({"pooling": asked} if asked else {})
                status, answer = ask(self.url, "/v1/embeddings", body)
                self.assertEqual(status, 200, answer)
                vectors[pooling, asked] = answer["data"][0]["embedding"]
            self.assertEqual(vectors[pooling, None], vectors[pooling, pooling])
        self.assertNotEqual(vectors["mean", "mean"], vectors["mean", "last"])
        self.assertEqual(vectors["mean", "last"], vectors["last", "last"])

    def test_only_qwen3_ranks(self):
        self.assertIn("qwen3", self.error("synth", "--preset", "tiny-llama", "--pooling", "rank", self.folder / "no.gguf"))
        self.assertIn("mean, last or rank", self.error("synth", "--pooling", "max", self.folder / "no.gguf"))


main()
