"""The embedded demo model answers what it was trained for."""

import json
import re

from program import DEMO, ProgramTest, main, needs


class Pebble(ProgramTest):
    # People meet the program through this model: its first answers must be right and whole.
    @needs(DEMO)
    def test_answers_its_twenty_questions(self):
        questions = json.loads(DEMO.with_name("questions.json").read_text())
        self.assertEqual(len(questions), 20)
        wrong = []
        for entry in questions:
            answer = self.output("run", "pebble", entry["question"], "--temperature", "0").strip()
            missed = [pattern for pattern in entry["expect"] if not re.search(pattern, answer)]
            if missed:
                wrong.append(f"{entry['question']}\n    {answer}\n    does not match {missed}")
        self.assertFalse(wrong, f"{len(wrong)} of 20:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
