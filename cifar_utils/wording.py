"""What README says of records and benchmarks, in English and in Russian; the numbers come from
`report`, which also chooses, by intervals, which of these sentences are said.
"""

from __future__ import annotations

ENGLISH = {
    # tables
    "metrics headings": "variant | parameters | epochs | n | accuracy | precision | recall | F1 | "
    "AUC | MCC | original",
    "comparison headings": "variant | against | difference, points | 95 % interval | "
    "training images | n | verdict",
    "mistake headings": "the original's mistake | measured by | training images | its cost",
    "verdict better": "better",
    "verdict worse": "worse",
    "verdict same": "no difference shown",
    "verdict single": "one seed: nothing shown yet",
    "machine": "{processor} ({instructions}), threads: {threads}, torch {torch}, Python {python}",
    # what holds for all of it
    "no records": "There are no full-scale records yet.",
    "networks": "**The networks of the original, redone.** {metrics}",
    "metrics": "{images:,} training images: test metrics in percent, mean ± standard deviation "
    "over n seeds; MCC is multiplied by 100; AUC is ROC-AUC, one class against the rest; last the "
    "accuracy that the original gave.",
    "provenance": "Test set of {tested:,} images, looked at once a run, at its end; {trained:,} "
    "training images; runs: {runs}; seeds {seeds}; {machine}. Differences are paired by seed; "
    "an interval is Student's, at 95 %.",
    "chance": "Of {count} such intervals about {wrong:.1f} miss the truth by chance alone.",
    "run on": "Most of those of more than three seeds had held zero with three and were run on: a "
    "second go for chance, so count on a few more.",
    "not measured": "There are no full-scale records of this yet.",
    "part": "Measured on a part of the data ({images:,} training images, {epochs} epochs), since "
    "the full scale has no three seeds of all these yet.",
    "diverged": "{lost} of {n} runs of *{variant}* diverged and are left out.",
    "details": "The six metrics of each variant, and the commands that make these records",
    "commands": "These commands make the records and keep them in `results/`, as "
    "`NOTEBOOK.VARIANT.seedN.json`; `verify` makes one of them again and compares:",
    # verdicts
    "better one": "*{b}* is better than *{a}* by {item}.",
    "worse one": "*{b}* is worse than *{a}* by {item}.",
    "same one": "Between *{b}* and *{a}* no difference is shown: {item}.",
    "single one": "*{b}* against *{a}*: {item} in one seed: no spread yet, so nothing is shown.",
    "better many": "Better than *{a}*, by points (95 % interval): {items}.",
    "worse many": "Worse than *{a}*, by points (95 % interval): {items}.",
    "same many": "No difference from *{a}* is shown, in points (95 % interval): {items}.",
    "single many": "Against *{a}*, in points from one seed: {items}; no spread yet, so nothing is "
    "shown.",
    "points": "{difference} points (95 % interval {low} … {high}, n = {n})",
    "bare points": "{difference} points",
    "unexpected": "This is against expectation: {variants}.",
    "gaps": "Training minus validation accuracy in the last epoch, in points: {gaps}. (Training "
    "accuracy is gathered while the network learns, with dropout and augmentation on.)",
    # the question of the final network
    "target reached": "**Yes: {variant}, with {parameters:,} parameters, reaches {target:.2f} % "
    "on the untouched test set:** {mean} %; the 95 % interval of the mean, {low:.2f} … {high:.2f}, "
    "lies above (n = {n} seeds; {reached} of them above by themselves).",
    "target missed": "**No: {variant}, with {parameters:,} parameters, does not reach "
    "{target:.2f} % on the untouched test set:** {mean} %; the 95 % interval of the mean, "
    "{low:.2f} … {high:.2f}, lies below (n = {n} seeds; {reached} of them above by themselves).",
    "target open": "**Not shown: whether {variant}, with {parameters:,} parameters, reaches "
    "{target:.2f} % on the untouched test set.** {mean} %; the 95 % interval of the mean, "
    "{low:.2f} … {high:.2f}, holds it (n = {n} seeds; {reached} of them above by themselves).",
    "target single": "**{variant}, with {parameters:,} parameters, has {mean} % on the untouched "
    "test set, in one seed:** no spread yet, so whether it reaches {target:.2f} % is not shown.",
    "flip": "Averaged over each image and its mirror image it is {flip} %.",
    "reported": "The original reported {target:.2f} % for {variant}, trained on 50,000 images and "
    "tested on those that it also validated on.",
    "original": "The original claimed {target:.2f} % for a network of {printed:,} parameters; that "
    "was the validation accuracy, on augmented images, of another network, of {measured:,}.",
    "aim": "This study's own aim for a network of at most {printed:,} parameters, all but the last "
    "few in convolutions, was {target:.2f} %.",
    # questions
    "heading 01_baseline": "What does the simplest network learn?",
    "heading 02_deeper_batchnorm": "What do depth, BatchNorm and normalisation buy?",
    "heading 03_pooling": "Which pooling?",
    "heading 04_optimizers": "Which optimizer?",
    "heading 05_dropout": "Does dropout help?",
    "heading 06_augmentation": "What does augmentation buy, and does it beat dropout?",
    "heading 07_final": "What makes the final network?",
    "heading mistakes": "What each mistake of the original cost",
    "question recipe": "**Recipe.** SimpleCNN by the original's recipe, and by a corrected one: "
    "AdamW, a one-cycle rate, weight decay, label smoothing.",
    "question depth": "**Depth.** NotSimpleCNN has three wider 3 × 3 convolutions and a larger "
    "linear layer, SimpleCNN two of 5 × 5; without BatchNorm, the layers act alone.",
    "question batchnorm": "**BatchNorm.** NotSimpleCNN with BatchNorm after each convolution, and "
    "without.",
    "question normalisation": "**Normalisation.** *SimpleCNN* gets pixels normalised with the "
    "training images' own mean and standard deviation; the others as their names say.",
    "question pooling": "**Pooling.** Of every four values PoolingCNN keeps the largest, the "
    "average, or a learned mixture (*strided*); *global* averages each whole map at the end.",
    "question optimizer": "**Optimizer.** SimpleCNN, each optimizer at the learning rate that was "
    "best for it on validation images: {rates}.",
    "question dropout": "**Dropout.** DropoutCNN loses each neuron of its first linear layer with "
    "probability p while it learns.",
    "question augmentation": "**Augmentation.** DropoutCNN without dropout, its training images "
    "changed at random, anew in every epoch. (The original's {original:.2f} % is of flip and "
    "rotation together, compared with themselves.)",
    "question against": "**Dropout against augmentation.** The same network with the one, with the "
    "other, and with both.",
    "question sizes": "**With fewer training images**, test accuracy in percent, mean ± standard "
    "deviation over n seeds:",
    "sizes headings": "training images | epochs | n",
    "question target": "**PlainCNN.** As many parameters at most, in convolutions instead of a "
    "large linear layer.",
    "question muon": "**Its optimizer.** FinalCNN is trained by Muon, which moves every direction "
    "of a weight matrix equally far; *Nesterov instead* by momentum, with a recipe of its own that "
    "was searched for in the same way.",
    "question average": "**Its pooling.** FinalCNN keeps the largest of every four values, as the "
    "network whose table the original printed; *average pooling* keeps their average.",
    "question ablation": "**What each other part is worth.** FinalCNN or its recipe with one part "
    "changed; the figure shows optimizer and pooling beside them.",
    # mistakes
    "mistake test set": "The test set was the validation set, looked at after every epoch",
    "measured test set": "best minus last epoch on the same validation images, {runs} runs",
    "cost test set": "on average {mean:.2f} points of flattery, if the best epoch is reported "
    "(standard deviation over runs {std:.2f})",
    "mistake evaluation mode": "Evaluation mode after the first epoch, for good",
    "mistake dropout on": "Tested with dropout on",
    "mistake augmented test": "Validated and tested on augmented images",
    "mistake half": "Pixels normalised with 0.5 instead of the data's own mean and std",
    "mistake itself": "“With” and “without” augmentation were both with it",
    "cost itself": "it hid whatever effect there is: {item}",
    "mistake optimizer": "Optimizers that held another network's parameters ({original:.2f} %)",
    "measured optimizer": "shown live in notebook 04; no record",
    "cost optimizer": "all training: the network stays untrained",
    "mistake one seed": "One seed",
    "measured one seed": "spread over seeds, number of variants: {variants}",
    "cost one seed": "two single runs of one variant lie {difference:.2f} points apart (standard "
    "deviation of the difference)",
    "mistake table": "The final table is another network's",
    "measured table": "parameters printed {printed:,}, trained {measured:,}",
    "cost table": "the claim was not about the network shown",
    "no cost yet": "no record yet",
    "cost verdict": "{item}: {verdict}",
    # figures
    "alt samples.png": "Pictures of CIFAR-10, eight of each class",
    "alt CIFAR-10_bird.png": "A bird of CIFAR-10, 32 × 32 pixels",
    "alt CIFAR-10_ship.png": "A ship of CIFAR-10, 32 × 32 pixels",
    "alt differences.png": "Every comparison of the study: difference and 95 % interval",
    "alt SimpleCNN.png": "Loss and accuracy of SimpleCNN by epoch, two recipes",
    "alt NotSimpleCNN.png": "Loss and accuracy by epoch: depth, BatchNorm, and the mistaken mode",
    "alt normalisation.png": "Loss and accuracy of SimpleCNN by epoch, three normalisations",
    "alt PoolingCNN.png": "Loss and accuracy of PoolingCNN by epoch, four poolings",
    "alt optimizers.png": "Loss and accuracy of SimpleCNN by epoch, five optimizers",
    "alt descent.gif": "Gradient descent and SGD walking down the loss of a line's fit",
    "alt dropout.png": "Loss and accuracy of DropoutCNN by epoch, four probabilities",
    "alt CNN.png": "Loss and accuracy of DropoutCNN by epoch, seven augmentations",
    "alt dropout_augmentation.png": "Test accuracy with dropout, augmentation, both, neither",
    "alt sizes.png": "Test accuracy against the number of training images",
    "alt final.png": "Loss and accuracy of the final networks by epoch",
    "alt ablation.png": "Test accuracy of FinalCNN with one part changed",
    "alt confusion_matrix.png": "What FinalCNN takes for what, on the test images",
    # benchmarks
    "speed headings": "training FinalCNN, crop and flip | images/s | × plain",
    "speed": "Medians of {rounds} rounds, measured in turn on {machine}. `fit` reaches "
    "{fit:.0f} % of the rate of a large matrix product on the same threads, two jobs "
    "{study:.0f} %. Of an epoch's time: {stages}. Loading CIFAR-10 takes {load:.1f} s, "
    "evaluating 10,000 images {evaluate:.1f} s; one process holds at most {memory:.2f} GB.",
    "claim": "FinalCNN is trained to the original study's {claim:.2f} % on the test set in "
    "{epochs} epochs: test accuracy {test} %, {seconds:.0f} ± {spread:.0f} s, "
    "{operations:.1f}·10¹² floating-point operations (n = {runs} seeds, of which {reached} reach "
    "it; {machine}). The number of epochs was chosen on validation images.",
}

RUSSIAN = {
    # tables
    "metrics headings": "вариант | параметры | эпохи | n | accuracy | precision | recall | F1 | "
    "AUC | MCC | исходная",
    "comparison headings": "вариант | с чем сравнивается | разница, п. п. | 95 % интервал | "
    "обучающих изображений | n | "
    "вывод",
    "mistake headings": "ошибка исходной работы | чем измерена | обучающих изображений | "
    "чего стоит",
    "verdict better": "лучше",
    "verdict worse": "хуже",
    "verdict same": "разница не показана",
    "verdict single": "одно зерно: пока ничего не показано",
    "machine": "{processor} ({instructions}), потоков: {threads}, torch {torch}, Python {python}",
    # what holds for all of it
    "no records": "Записей полного масштаба пока нет.",
    "networks": "**Сети исходной работы, обученные заново.** {metrics}",
    "metrics": "Обучающих изображений: {images:,}. Метрики на тесте в процентах, среднее ± "
    "стандартное отклонение по n зёрнам; MCC "
    "умножен на 100; AUC — это ROC-AUC, один класс против остальных; последней — точность, которую "
    "сообщила исходная работа.",
    "provenance": "Тестовая выборка: {tested:,} изображений, на неё смотрят один раз за запуск, в "
    "конце; обучающих изображений: {trained:,}; запусков: {runs}, зёрна {seeds}; {machine}. "
    "Разности берутся между запусками с одинаковым зерном; интервал — Стьюдента, 95 %.",
    "chance": "Из таких интервалов ({count}) примерно {wrong:.1f} промахиваются мимо истины "
    "случайно.",
    "run on": "Большинство тех, где зёрен больше трёх, при трёх содержали ноль и были продолжены: "
    "у случая вторая попытка, так что промахов может быть чуть больше.",
    "not measured": "Записей полного масштаба об этом пока нет.",
    "part": "Измерено на части данных (обучающих изображений: {images:,}; эпох: {epochs}): в "
    "полном масштабе пока нет трёх зёрен для всех этих вариантов.",
    "diverged": "Разошлись и не учтены {lost} из {n} запусков *{variant}*.",
    "details": "Шесть метрик каждого варианта и команды, которыми сделаны эти записи",
    "commands": "Эти команды создают записи и кладут их в `results/` под именами "
    "`ТЕТРАДЬ.ВАРИАНТ.seedN.json`; `verify` повторяет одну из них и сравнивает:",
    # verdicts
    "better one": "*{b}* лучше, чем *{a}*, на {item}.",
    "worse one": "*{b}* хуже, чем *{a}*, на {item}.",
    "same one": "Разница между *{b}* и *{a}* не показана: {item}.",
    "single one": "*{b}* по сравнению с *{a}*: {item} при одном зерне; разброса ещё нет, поэтому "
    "ничего не показано.",
    "better many": "Лучше, чем *{a}*, на столько п. п. (95 % интервал): {items}.",
    "worse many": "Хуже, чем *{a}*, на столько п. п. (95 % интервал): {items}.",
    "same many": "Разница с *{a}* не показана, п. п. (95 % интервал): {items}.",
    "single many": "По сравнению с *{a}*, п. п. при одном зерне: {items}; разброса ещё нет, "
    "поэтому ничего не показано.",
    "points": "{difference} п. п. (95 % интервал {low} … {high}, n = {n})",
    "bare points": "{difference} п. п.",
    "unexpected": "Это вопреки ожиданию: {variants}.",
    "gaps": "Точность на обучении минус точность на валидации в последнюю эпоху, п. п.: {gaps}. "
    "(Точность на обучении собирается, пока сеть учится, с dropout и аугментацией.)",
    # the question of the final network
    "target reached": "**Да: {variant} с {parameters:,} параметрами достигает {target:.2f} % на "
    "нетронутой тестовой выборке:** {mean} %; 95 % интервал среднего, {low:.2f} … {high:.2f}, "
    "лежит выше (n = {n} зёрен; сами по себе выше: {reached}).",
    "target missed": "**Нет: {variant} с {parameters:,} параметрами не достигает {target:.2f} % "
    "на нетронутой тестовой выборке:** {mean} %; 95 % интервал среднего, "
    "{low:.2f} … {high:.2f}, лежит ниже (n = {n} зёрен; сами по себе выше: {reached}).",
    "target open": "**Не показано, достигает ли {variant} с {parameters:,} параметрами "
    "{target:.2f} % на нетронутой тестовой выборке.** {mean} %; 95 % интервал среднего, "
    "{low:.2f} … {high:.2f}, содержит это число (n = {n} зёрен; сами по себе выше: {reached}).",
    "target single": "**У {variant} с {parameters:,} параметрами {mean} % на нетронутой "
    "тестовой выборке при одном зерне:** разброса ещё нет, поэтому не показано, достигает ли она "
    "{target:.2f} %.",
    "flip": "В среднем по изображению и его отражению: {flip} %.",
    "reported": "Исходная работа сообщила о {target:.2f} % для {variant}: обучение на 50 000 "
    "изображениях, тест на тех же, что и валидация.",
    "original": "Исходная работа заявила {target:.2f} % для сети с {printed:,} параметрами; это "
    "была точность на валидации, на аугментированных изображениях, у другой сети, с {measured:,}.",
    "aim": "Цель самого этого исследования для сети, у которой не больше {printed:,} параметров, "
    "почти все в свёртках, была {target:.2f} %.",
    # questions
    "heading 01_baseline": "Чему учится простейшая сеть?",
    "heading 02_deeper_batchnorm": "Что дают глубина, BatchNorm и нормализация?",
    "heading 03_pooling": "Какой пулинг?",
    "heading 04_optimizers": "Какой оптимизатор?",
    "heading 05_dropout": "Помогает ли dropout?",
    "heading 06_augmentation": "Что даёт аугментация и лучше ли она, чем dropout?",
    "heading 07_final": "Из чего складывается итоговая сеть?",
    "heading mistakes": "Чего стоила каждая ошибка исходной работы",
    "question recipe": "**Рецепт.** SimpleCNN по рецепту исходной работы и по исправленному: "
    "AdamW, скорость обучения в один цикл, затухание весов, сглаживание меток.",
    "question depth": "**Глубина.** У NotSimpleCNN три более широкие свёртки 3 × 3 и больший "
    "линейный слой, у SimpleCNN две свёртки 5 × 5; без BatchNorm действуют только слои.",
    "question batchnorm": "**BatchNorm.** NotSimpleCNN с BatchNorm после каждой свёртки и без "
    "него.",
    "question normalisation": "**Нормализация.** *SimpleCNN* получает пиксели, нормализованные по "
    "среднему и стандартному отклонению самих обучающих изображений; у остальных вариантов — как "
    "сказано в названии.",
    "question pooling": "**Пулинг.** Из каждых четырёх значений PoolingCNN оставляет наибольшее, "
    "среднее или выученную смесь (*strided*); *global* в конце усредняет каждую карту целиком.",
    "question optimizer": "**Оптимизатор.** SimpleCNN, каждый оптимизатор со скоростью обучения, "
    "лучшей для него на валидации: {rates}.",
    "question dropout": "**Dropout.** Пока DropoutCNN учится, каждый нейрон её первого линейного "
    "слоя выпадает с вероятностью p.",
    "question augmentation": "**Аугментация.** DropoutCNN без dropout; обучающие изображения "
    "случайно меняются, в каждой эпохе заново. ({original:.2f} % исходной работы — это отражение "
    "вместе с поворотом, сравнённые сами с собой.)",
    "question against": "**Dropout против аугментации.** Одна и та же сеть с одним, с другим и с "
    "обоими.",
    "question sizes": "**Когда обучающих изображений меньше**, точность на тесте в процентах, "
    "среднее ± стандартное отклонение по n зёрнам:",
    "sizes headings": "обучающих изображений | эпохи | n",
    "question target": "**PlainCNN.** Параметров не больше, но в свёртках, а не в большом "
    "линейном слое.",
    "question muon": "**Её оптимизатор.** FinalCNN обучает Muon, который сдвигает все направления "
    "матрицы весов на равную длину; *Nesterov instead* — импульс Нестерова со своим рецептом, "
    "найденным таким же поиском.",
    "question average": "**Её пулинг.** FinalCNN оставляет наибольшее из каждых четырёх значений, "
    "как сеть, чью таблицу напечатала исходная работа; *average pooling* — их среднее.",
    "question ablation": "**Чего стоит каждая другая часть.** FinalCNN или её рецепт, где изменена "
    "одна часть; на рисунке рядом с ними — оптимизатор и пулинг.",
    # mistakes
    "mistake test set": "Тестовая выборка служила валидационной, на неё смотрели каждую эпоху",
    "measured test set": "лучшая минус последняя эпоха на той же валидации, запусков: {runs}",
    "cost test set": "в среднем {mean:.2f} п. п. приукрашивания, если сообщать лучшую эпоху "
    "(стандартное отклонение по запускам {std:.2f})",
    "mistake evaluation mode": "Режим оценки навсегда после первой эпохи",
    "mistake dropout on": "Проверка с включённым dropout",
    "mistake augmented test": "Валидация и тест на аугментированных изображениях",
    "mistake half": "Пиксели нормализованы по 0.5 вместо среднего и отклонения самих данных",
    "mistake itself": "«С аугментацией» и «без» были обе с ней",
    "cost itself": "скрыла эффект, какой бы он ни был: {item}",
    "mistake optimizer": "Оптимизаторы держали параметры чужой сети ({original:.2f} %)",
    "measured optimizer": "показано вживую в тетради 04; записи нет",
    "cost optimizer": "всего обучения: сеть остаётся необученной",
    "mistake one seed": "Одно зерно",
    "measured one seed": "разброс по зёрнам, вариантов: {variants}",
    "cost one seed": "два отдельных запуска одного варианта отстоят на {difference:.2f} п. п. "
    "(стандартное отклонение разности)",
    "mistake table": "Итоговая таблица — чужой сети",
    "measured table": "параметров напечатано {printed:,}, обучено {measured:,}",
    "cost table": "заявление было не о той сети, что показана",
    "no cost yet": "записи пока нет",
    "cost verdict": "{item}: {verdict}",
    # figures
    "alt samples.png": "Картинки CIFAR-10, по восемь каждого класса",
    "alt CIFAR-10_bird.png": "Птица из CIFAR-10, 32 × 32 пикселя",
    "alt CIFAR-10_ship.png": "Корабль из CIFAR-10, 32 × 32 пикселя",
    "alt differences.png": "Все сравнения исследования: разность и 95 % интервал",
    "alt SimpleCNN.png": "Потери и точность SimpleCNN по эпохам, два рецепта",
    "alt NotSimpleCNN.png": "Потери и точность по эпохам: глубина, BatchNorm и ошибочный режим",
    "alt normalisation.png": "Потери и точность SimpleCNN по эпохам, три нормализации",
    "alt PoolingCNN.png": "Потери и точность PoolingCNN по эпохам, четыре вида пулинга",
    "alt optimizers.png": "Потери и точность SimpleCNN по эпохам, пять оптимизаторов",
    "alt descent.gif": "Градиентный спуск и SGD на поверхности потерь прямой",
    "alt dropout.png": "Потери и точность DropoutCNN по эпохам, четыре вероятности",
    "alt CNN.png": "Потери и точность DropoutCNN по эпохам, семь аугментаций",
    "alt dropout_augmentation.png": "Точность на тесте с dropout, с аугментацией, с обоими, без",
    "alt sizes.png": "Точность на тесте в зависимости от числа обучающих изображений",
    "alt final.png": "Потери и точность итоговых сетей по эпохам",
    "alt ablation.png": "Точность на тесте FinalCNN, в которой изменена одна часть",
    "alt confusion_matrix.png": "Что FinalCNN с чем путает на тестовых изображениях",
    # benchmarks
    "speed headings": "обучение FinalCNN, сдвиг и отражение | изображений/с | × простой цикл",
    "speed": "Медианы по {rounds} раундам, измерено поочерёдно на {machine}. `fit` достигает "
    "{fit:.0f} % скорости умножения больших матриц на тех же потоках, две задачи рядом — "
    "{study:.0f} %. Время эпохи: {stages}. Загрузка CIFAR-10 занимает {load:.1f} с, оценка "
    "10,000 изображений — {evaluate:.1f} с; один процесс занимает не более {memory:.2f} ГБ.",
    "claim": "До {claim:.2f} % исходной работы на тестовой выборке FinalCNN обучается за "
    "{epochs} эпох: accuracy на тесте {test} %, {seconds:.0f} ± {spread:.0f} с, "
    "{operations:.1f}·10¹² операций с плавающей точкой (n = {runs} зёрен, достигли {reached}; "
    "{machine}). Число эпох выбрано по валидационным изображениям.",
}
