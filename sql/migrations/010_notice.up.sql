-- What people were told, so that they are told once, whoever leads.
--   locks: new objects only
CREATE TABLE riverrun_notice (
    rule text NOT NULL,
    subject text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule, subject),
    CONSTRAINT riverrun_notice_rule_length CHECK (char_length(rule) BETWEEN 1 AND 127),
    CONSTRAINT riverrun_notice_subject_length CHECK (char_length(subject) BETWEEN 1 AND 255)
);

COMMENT ON TABLE riverrun_notice IS 'When a rule of the notifications last told somebody about a subject.';
